// One launch for many parameters: their addresses travel as the kernel's parameter, and each block finds the
// tensor that it works on.
#pragma once

#include "backend/queue.h"
#include "device/device.h"
#include "kernels/block_group.h"
#include "ops/loss_scale.h"

namespace nativegrad::cuda {

constexpr int32_t most_operands = 128;
constexpr int optimizer_threads = 256;
constexpr int elements_per_lane = 4;
constexpr int64_t elements_per_block = optimizer_threads * elements_per_lane;

// Groups of `tensors` operands: the parameter, its gradient and its state. What kernels take is 4 KiB at
// most.
template <class T, int tensors>
struct TensorList {
    static constexpr int32_t most_groups = most_operands / (tensors < 2 ? 2 : tensors);
    T* at[most_groups][tensors];
    int64_t count[most_groups];
    int32_t first_block[most_groups + 1];
    int32_t* skipped[most_groups];  // steps left out, where a loss scaler is in use
    void* low[most_groups];         // the copy of the parameter in 16 bits, or null
    uint8_t is_aligned[most_groups];
    int32_t groups = 0;
    DType low_dtype = DType::float16;  // one for all

    void add(const TensorView* group, int32_t* skips = nullptr, const TensorView* copy = nullptr) {
        if (groups == 0) first_block[0] = 0;
        skipped[groups] = skips;
        const bool has_copy = copy != nullptr && has_low_copy(*copy);
        low[groups] = has_copy ? copy->data : nullptr;
        bool aligned = !has_copy || cuda::is_aligned(copy->data, 8);
        if (has_copy) low_dtype = copy->dtype;
        for (int i = 0; i < tensors; ++i) {
            at[groups][i] = static_cast<T*>(group[i].data);
            aligned = aligned && cuda::is_aligned(group[i].data, 16);
        }
        is_aligned[groups] = aligned ? 1 : 0;
        count[groups] = element_count(group[0]);
        const int64_t blocks = (count[groups] + elements_per_block - 1) / elements_per_block;
        if (first_block[groups] + blocks > INT32_MAX)
            fail("the parameters have too many elements for one call");
        first_block[groups + 1] = first_block[groups] + static_cast<int32_t>(blocks);
        ++groups;
    }
    int32_t blocks() const { return groups == 0 ? 0 : first_block[groups]; }
};

// The copy of a parameter, where there is one.
struct LowCopy {
    void* at;
    DType dtype;

    template <class Stored, int width>
    __device__ __forceinline__ void store_as(int64_t i, const Pack<float, width>& values) const {
        Pack<Stored, width> low;
#pragma unroll
        for (int e = 0; e < width; ++e) low[e] = from_float<Stored>(values[e]);
        store_pack(static_cast<Stored*>(at) + i, low);
    }
    // From element i on; parameters of float64 have no copy.
    template <class T, int width>
    __device__ __forceinline__ void store(int64_t i, const Pack<T, width>& values) const {
        if constexpr (sizeof(T) == 4) {
            if (at == nullptr) return;
            if (dtype == DType::float16)
                store_as<Float16>(i, values);
            else
                store_as<BFloat16>(i, values);
        }
    }
};

// step.update(values): values [tensors] of one element; the gradient, values[1], is not written back
template <class T, int tensors, class Step>
__device__ __forceinline__ void update_pack(const Step& step, T* const* at, const LowCopy& low, int64_t i) {
    constexpr int width = pack_width<T>;
    Pack<T, width> packs[tensors];
#pragma unroll
    for (int k = 0; k < tensors; ++k) packs[k] = load_pack<width>(at[k] + i);
#pragma unroll
    for (int e = 0; e < width; ++e) {
        T values[tensors];
#pragma unroll
        for (int k = 0; k < tensors; ++k) values[k] = packs[k][e];
        step.update(values);
#pragma unroll
        for (int k = 0; k < tensors; ++k) packs[k][e] = values[k];
    }
#pragma unroll
    for (int k = 0; k < tensors; ++k) {
        if (k != 1) store_pack(at[k] + i, packs[k]);
    }
    low.store(i, packs[0]);
}

template <class T, int tensors, class Step>
__device__ __forceinline__ void update_element(const Step& step, T* const* at, const LowCopy& low,
                                               int64_t i) {
    T values[tensors];
#pragma unroll
    for (int k = 0; k < tensors; ++k) values[k] = at[k][i];
    step.update(values);
#pragma unroll
    for (int k = 0; k < tensors; ++k) {
        if (k != 1) at[k][i] = values[k];
    }
    Pack<T, 1> parameter;
    parameter[0] = values[0];
    low.store(i, parameter);
}

// What a loss scaler says of the gradients; both are null without one.
struct LossScale {
    const int32_t* found;
    const float* multiplier;

    explicit LossScale(const OpCall& call)
        : found(call.input_count > 0 ? static_cast<const int32_t*>(call.inputs[0].data) : nullptr),
          multiplier(call.input_count > 1 ? static_cast<const float*>(call.inputs[1].data) : nullptr) {}
};

// The step with gradients times a number, which is 1 where no loss was scaled.
template <class T, int tensors, class Step>
struct Scaled {
    const Step& step;
    T multiplier;

    __device__ __forceinline__ void update(T (&x)[tensors]) const {
        x[1] *= multiplier;
        step.update(x);
    }
};

// groups of [n] tensors, updated in place; a block takes elements_per_block of one group
template <class T, int tensors, class Step>
__device__ __forceinline__ void update_tensors(const TensorList<T, tensors>& list, const Live<Step>& changing,
                                               const LossScale& scale) {
    Step plain = changing.get();
    const int32_t group = group_of_block(list.first_block, list.groups);
    T multiplier = 1;
    if (scale.found != nullptr) {
        if (*scale.found != 0) {
            if (block_index() == 0 && thread_index() < list.groups) ++*list.skipped[thread_index()];
            return;
        }
        plain.leave_out(*list.skipped[group]);
        if (scale.multiplier != nullptr) multiplier = static_cast<T>(*scale.multiplier);
    }
    const Scaled<T, tensors, Step> step{plain, multiplier};
    constexpr int width = pack_width<T>;
    T* at[tensors];
#pragma unroll
    for (int k = 0; k < tensors; ++k) at[k] = list.at[group][k];
    const LowCopy copy{list.low[group], list.low_dtype};
    const int64_t start = (block_index() - list.first_block[group]) * elements_per_block;
    const int64_t rest = list.count[group] - start, n = rest < elements_per_block ? rest : elements_per_block;
    const int64_t packed = list.is_aligned[group] != 0 ? n / width * width : 0;
    for (int64_t i = thread_index() * width; i < packed; i += optimizer_threads * width)
        update_pack<T, tensors>(step, at, copy, start + i);
    for (int64_t i = packed + thread_index(); i < n; i += optimizer_threads)
        update_element<T, tensors>(step, at, copy, start + i);
}

// True when both walk the same memory order; the strides of dimensions of size 1 say nothing.
inline bool same_order(const TensorView& a, const TensorView& b) {
    if (a.rank != b.rank) return false;
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] != b.shape[axis]) return false;
        if (a.shape[axis] > 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

// The groups of the call, `size` operands each, checked: the first `tensors` of a group are alike.
inline int32_t checked_groups(const OpCall& call, int32_t size, int32_t tensors) {
    const int32_t groups = call.output_count / size;
    if (groups > most_operands / tensors)
        fail("takes at most %d parameters at once", most_operands / tensors);
    for (int32_t g = 0; g < groups; ++g) {
        const TensorView* group = call.outputs + g * size;
        for (int32_t i = 0; i < tensors; ++i) {
            if (group[i].dtype != group[0].dtype || !is_dense(group[i]) || !same_order(group[i], group[0]))
                fail(
                    "a parameter, its gradient and its state must have one dtype, shape and dense memory "
                    "order");
        }
        if (group->dtype != DType::float32 && group->dtype != DType::float64)
            fail("parameters must be float32 or float64, got %s", dtype_name(group->dtype));
    }
    return groups;
}

template <class T, int tensors, class Step, class Params, class Options>
void launch_updates(const OpCall& call, int32_t size, DType dtype, const Params& params,
                    Options (*options_of)(const Params&), Queue& queue) {
    TensorList<T, tensors> list;
    for (int32_t i = 0; i < call.output_count; i += size) {
        const TensorView* group = call.outputs + i;
        if (group->dtype != dtype) continue;
        int32_t* const skipped = call.input_count > 0 ? static_cast<int32_t*>(group[size - 1].data) : nullptr;
        list.add(group, skipped, params.casts != 0 ? group + tensors : nullptr);
    }
    if (list.blocks() == 0) return;
    const Grid grid{list.blocks(), optimizer_threads, shared_bytes<double>(2)};
    const auto step = queue.live(params, [options_of](const Params& of) { return Step(options_of(of)); });
    launch_batched<update_tensors<T, tensors, Step>>(grid, queue.stream(), list, step, LossScale(call));
}

// One launch for the parameters of float32, one for those of float64: Step<T, tensors>(options_of(params))
template <template <class, int> class Step, int tensors, class Params, class Options>
void update_all(const OpCall& call, const Params& params, Options (*options_of)(const Params&),
                Queue& queue) {
    const int32_t size = update_group_size(call, tensors, params.casts != 0);
    if (checked_groups(call, size, tensors) == 0) return;
    launch_updates<float, tensors, Step<float, tensors>>(call, size, DType::float32, params, options_of,
                                                         queue);
    launch_updates<double, tensors, Step<double, tensors>>(call, size, DType::float64, params, options_of,
                                                           queue);
}

// One rounding for float, two for double, as the CPU's vector loops and its loops of float64 have it.
__device__ __forceinline__ float multiply_add(float a, float b, float c) { return fma(a, b, c); }
__device__ __forceinline__ double multiply_add(double a, double b, double c) { return a * b + c; }

}  // namespace nativegrad::cuda
