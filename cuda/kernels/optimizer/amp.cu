// Dynamic loss scaling: what is found in the gradients, what the update makes of it, how the scale goes on.
#include "backend/ops.h"
#include "device/atomics.h"
#include "kernels/optimizer/tensor_list.h"

namespace nativegrad::cuda {

namespace {

// inf - inf and NaN are no number.
template <class T>
__device__ __forceinline__ bool is_finite(T x) {
    return x - x == T(0);
}

// body(pointer to `width` elements) for the packs of the block's part, body(pointer to one) for the rest
template <class T, class Packs, class Element>
__device__ __forceinline__ void walk_block(const TensorList<T, 1>& list, const Packs& packs,
                                           const Element& element) {
    constexpr int width = pack_width<T>;
    const int32_t group = group_of_block(list.first_block, list.groups);
    const int64_t start = (block_index() - list.first_block[group]) * elements_per_block;
    T* at = list.at[group][0] + start;
    const int64_t rest = list.count[group] - start, n = rest < elements_per_block ? rest : elements_per_block;
    const int64_t packed = list.is_aligned[group] != 0 ? n / width * width : 0;
    for (int64_t i = thread_index() * width; i < packed; i += optimizer_threads * width) packs(at + i);
    for (int64_t i = packed + thread_index(); i < n; i += optimizer_threads) element(at + i);
}

// A flag that blocks only raise: the bits do not depend on who comes first.
__device__ __forceinline__ void raise(bool bad, int32_t* found) {
    if (any(bad) && lane_index() == 0) atomic_or(found, int32_t{1});
}

// gradients [n]... -> found [](, parts [blocks]: sums of (gradient * inverse)^2). In double: squares of
// finite gradients may be infinite in float.
template <class T>
__device__ __forceinline__ void check_gradients(const TensorList<T, 1>& list, const float* inverse,
                                                int32_t* found, double* parts) {
    const double factor = static_cast<double>(*inverse);
    double sum = 0;
    bool bad = false;
    const auto take = [&](T x) {
        bad = bad || !is_finite(x);
        const double value = static_cast<double>(x) * factor;
        sum += value * value;
    };
    walk_block<T>(
        list,
        [&](const T* at) {
            const auto pack = load_pack<pack_width<T>>(at);
#pragma unroll
            for (int e = 0; e < pack_width<T>; ++e) take(pack[e]);
        },
        [&](const T* at) { take(*at); });
    raise(bad, found);
    if (parts == nullptr) return;
    SharedArena arena;
    const double total = block_reduce(sum, AddOf(), 0.0, arena.take<double>(block_reduce_parts));
    if (thread_index() == 0) parts[block_index()] = total;
}

// parts [blocks] -> squares []; one block
__device__ __forceinline__ void sum_parts(const double* parts, int64_t count, double* squares) {
    SharedArena arena;
    double sum = 0;
    for (int64_t i = thread_index(); i < count; i += thread_count()) sum += parts[i];
    sum = block_reduce(sum, AddOf(), 0.0, arena.take<double>(block_reduce_parts));
    if (thread_index() == 0) *squares = sum;
}

// inverse [] -> found [], gradients [n]... *= inverse
template <class T>
__device__ __forceinline__ void unscale_gradients(const TensorList<T, 1>& list, const float* inverse,
                                                  int32_t* found) {
    const T factor = static_cast<T>(*inverse);
    bool bad = false;
    walk_block<T>(
        list,
        [&](T* at) {
            auto pack = load_pack<pack_width<T>>(at);
#pragma unroll
            for (int e = 0; e < pack_width<T>; ++e) {
                bad = bad || !is_finite(pack[e]);
                pack[e] *= factor;
            }
            store_pack(at, pack);
        },
        [&](T* at) {
            bad = bad || !is_finite(*at);
            *at *= factor;
        });
    raise(bad, found);
}

// inverse [], squares [calls] -> multiplier [], norm []; one lane
__device__ __forceinline__ void factor_of_norm(const float* inverse, const double* squares, int64_t calls,
                                               const Live<double>& max_norm, float* multiplier, float* norm) {
    if (thread_index() != 0) return;
    double total = 0;
    for (int64_t i = 0; i < calls; ++i) total += squares[i];
    write_factor(max_norm.get(), total, *inverse, multiplier, norm);
}

struct FoundFlags {
    int32_t* at[most_operands];
    int32_t count;
};

// -> scale [], inverse [], counts [3], found []...; one lane
__device__ __forceinline__ void update_scale(const Live<ScaleChange>& change, float* scale, float* inverse,
                                             int32_t* counts, const FoundFlags& flags) {
    if (thread_index() != 0) return;
    bool found = false;
    for (int32_t i = 0; i < flags.count; ++i) {
        found = found || *flags.at[i] != 0;
        *flags.at[i] = 0;
    }
    change_scale(change.get(), found, scale, inverse, counts);
}

double max_norm_of(const AmpFactorParams& params) { return params.max_norm.values[0]; }

constexpr int64_t one_warp = 32;

template <class T>
T* element(const TensorView& view) {
    return static_cast<T*>(view.data);
}

// The gradients of one type; those of a call are at most 128, which two lists hold.
template <class T>
struct GradientLists {
    TensorList<T, 1> lists[2];
    int64_t blocks = 0;

    GradientLists(const TensorView* gradients, int32_t count, DType dtype) {
        int32_t taken = 0;
        for (int32_t i = 0; i < count; ++i) {
            if (gradients[i].dtype == dtype)
                lists[taken++ / TensorList<T, 1>::most_groups].add(gradients + i);
        }
        blocks = int64_t{lists[0].blocks()} + lists[1].blocks();
    }
    // body(list, blocks, first block)
    template <class Body>
    void each(const Body& body) const {
        if (lists[0].blocks() > 0) body(lists[0], lists[0].blocks(), int64_t{0});
        if (lists[1].blocks() > 0) body(lists[1], lists[1].blocks(), int64_t{lists[0].blocks()});
    }
};

}  // namespace

namespace ops {

// inverse [], gradients... -> found [] (1 where an element is not finite, else as it was)(, squares [] = sum
// of (gradient * inverse)^2)
void amp_check(const OpCall& call, const NoParams&, Queue& queue) {
    check_amp_check(call);
    const TensorView* gradients = call.inputs + 1;
    const int32_t count = call.input_count - 1;
    for (int32_t i = 0; i < count; ++i) check_gradient(gradients[i]);
    const GradientLists<float> singles(gradients, count, DType::float32);
    const GradientLists<double> doubles(gradients, count, DType::float64);
    const bool sums = call.output_count == 2;
    const int64_t blocks = singles.blocks + doubles.blocks;
    const Scratch scratch(queue, sums ? static_cast<size_t>(blocks) * sizeof(double) : 0);
    double* parts = sums ? scratch.as<double>() : nullptr;
    const float* inverse = element<float>(call.inputs[0]);
    int32_t* found = element<int32_t>(call.outputs[0]);
    const auto check = [&](const auto& lists, auto kernel, double* to) {
        lists.each([&](const auto& list, int64_t count_of_blocks, int64_t first) {
            kernel(Grid{count_of_blocks, optimizer_threads, shared_bytes<double>(block_reduce_parts)}, list,
                   to == nullptr ? nullptr : to + first);
        });
    };
    check(
        singles,
        [&](const Grid& grid, const auto& list, double* to) {
            launch_batched<check_gradients<float>, unbounded>(grid, queue.stream(), list, inverse, found, to);
        },
        parts);
    check(
        doubles,
        [&](const Grid& grid, const auto& list, double* to) {
            launch_batched<check_gradients<double>, unbounded>(grid, queue.stream(), list, inverse, found,
                                                               to);
        },
        sums ? parts + singles.blocks : nullptr);
    if (!sums) return;
    const Grid one{1, optimizer_threads, shared_bytes<double>(block_reduce_parts)};
    launch_batched<sum_parts, unbounded>(one, queue.stream(), parts, blocks,
                                         element<double>(call.outputs[1]));
}

// inverse [], squares [calls] -> multiplier [] = inverse * min(1, max_norm / (norm + 1e-6)), norm []
void amp_factor(const OpCall& call, const AmpFactorParams& params, Queue& queue) {
    check_amp_factor(call);
    launch_batched<factor_of_norm, unbounded>(
        Grid{1, one_warp}, queue.stream(), element<float>(call.inputs[0]), element<double>(call.inputs[1]),
        element_count(call.inputs[1]), queue.live(params, &max_norm_of), element<float>(call.outputs[0]),
        element<float>(call.outputs[1]));
}

// inverse [] -> found [] (1 where an element is not finite, else as it was), gradients... *= inverse
void amp_unscale(const OpCall& call, const NoParams&, Queue& queue) {
    check_amp_unscale(call);
    const TensorView* gradients = call.outputs + 1;
    const int32_t count = call.output_count - 1;
    const float* inverse = element<float>(call.inputs[0]);
    int32_t* found = element<int32_t>(call.outputs[0]);
    GradientLists<float>(gradients, count, DType::float32)
        .each([&](const auto& list, int64_t blocks, int64_t) {
            launch_batched<unscale_gradients<float>, unbounded>(Grid{blocks, optimizer_threads},
                                                                queue.stream(), list, inverse, found);
        });
    GradientLists<double>(gradients, count, DType::float64)
        .each([&](const auto& list, int64_t blocks, int64_t) {
            launch_batched<unscale_gradients<double>, unbounded>(Grid{blocks, optimizer_threads},
                                                                 queue.stream(), list, inverse, found);
        });
}

// -> scale [], inverse [], counts [3], found []...; see change_scale. found becomes 0.
void amp_update(const OpCall& call, const AmpUpdateParams& params, Queue& queue) {
    check_amp_update(call);
    FoundFlags flags;
    flags.count = call.output_count - 3;
    for (int32_t i = 0; i < flags.count; ++i) flags.at[i] = element<int32_t>(call.outputs[3 + i]);
    launch_batched<update_scale, unbounded>(Grid{1, one_warp}, queue.stream(),
                                            queue.live(params, &scale_change_of),
                                            element<float>(call.outputs[0]), element<float>(call.outputs[1]),
                                            element<int32_t>(call.outputs[2]), flags);
}

}  // namespace ops

}  // namespace nativegrad::cuda
