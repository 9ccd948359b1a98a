#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/chain_steps.h"

namespace nativegrad::cuda {

namespace {

// Elements of Stored as a step takes them.
template <class Stored>
using Values = typename Chain<Stored>::Values;

template <class Stored>
__device__ __forceinline__ void load_input(const Chain<Stored>& chain, const Operand& x,
                                           const GroupPlace& place, Values<Stored>& values) {
    using T = typename Chain<Stored>::T;
    constexpr int width = Chain<Stored>::width;
    if (x.kind == OperandKind::one) {
        const T value = load_as<T>(x.source, 0);
#pragma unroll
        for (int i = 0; i < width; ++i) values[i] = value;
        return;
    }
    const Stored* from = static_cast<const Stored*>(x.source.data);
    const bool is_row = x.kind == OperandKind::row;
    if (chain.is_packed && place.valid == width) {
        const int64_t row = is_row ? quotient_of(place.first, chain.period) * chain.period : 0;
        load_stored<T>(from + place.first - row, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < width; ++i) {
        int64_t at = place.first + i * place.step;
        if (is_row) at -= quotient_of(at, chain.period) * chain.period;
        values[i] = i < place.valid ? load_value<T>(from[at]) : T(1);
    }
}

template <class Stored>
__device__ __forceinline__ void store_output(const Chain<Stored>& chain, void* out, const GroupPlace& place,
                                             const Values<Stored>& values) {
    constexpr int width = Chain<Stored>::width;
    Stored* const to = static_cast<Stored*>(out);
    if (chain.is_packed && place.valid == width) return store_stored(to + place.first, values);
#pragma unroll
    for (int i = 0; i < width; ++i) {
        if (i < place.valid) to[place.first + i * place.step] = store_value<Stored>(values[i]);
    }
}

// A step's result as it would be stored: the bits are those of the functions one by one.
template <class Stored>
__device__ __forceinline__ void round_to_stored(Values<Stored>& values) {
    if constexpr (sizeof(Stored) == 2) {
#pragma unroll
        for (int i = 0; i < Chain<Stored>::width; ++i) values[i] = as_float(from_float<Stored>(values[i]));
    }
}

// A lane's group in slot `slot` of shared memory: nobody else touches it.
template <int width, class T>
__device__ __forceinline__ T& in_slot(T* slots, int slot, int i) {
    return slots[(slot * width + i) * thread_count() + thread_index()];
}

template <class Stored>
__device__ __forceinline__ void load_step_operand(const Chain<Stored>& chain, int32_t operand, int32_t step,
                                                  const GroupPlace& place, const Values<Stored>& last,
                                                  typename Chain<Stored>::T* slots, Values<Stored>& values) {
    constexpr int width = Chain<Stored>::width;
    const int32_t made = operand - chain.input_count;
    if (made < 0) return load_input(chain, chain.in[operand], place, values);
#pragma unroll
    for (int i = 0; i < width; ++i)
        values[i] = made == step - 1 ? last[i] : in_slot<width>(slots, chain.steps[made].slot, i);
}

template <class Stored>
__device__ __forceinline__ void run_steps(const Chain<Stored>& chain, const GroupPlace& place,
                                          typename Chain<Stored>::T* slots) {
    using T = typename Chain<Stored>::T;
    constexpr int width = Chain<Stored>::width;
    Values<Stored> last;
    for (int32_t i = 0; i < chain.step_count; ++i) {
        const ChainStep<T>& step = chain.steps[i];
        Values<Stored> left, right;
        T p0 = step.p0, p1 = step.p1;
        if (chain.changing != nullptr) p0 = chain.changing->p0[i], p1 = chain.changing->p1[i];
        load_step_operand(chain, step.left, i, place, last, slots, left);
        if (step.right >= 0) {
            load_step_operand(chain, step.right, i, place, last, slots, right);
            apply_binary<T, width>(static_cast<BinaryFunction>(step.function - chain_unary_count), left,
                                   right, p0, p1, last);
        } else {
            apply_unary<T, width>(static_cast<UnaryFunction>(step.function), left, p0, p1, last);
        }
        round_to_stored<Stored>(last);
        if (step.slot >= 0) {
#pragma unroll
            for (int k = 0; k < width; ++k) in_slot<width>(slots, step.slot, k) = last[k];
        }
        if (step.output >= 0) store_output(chain, chain.out[step.output], place, last);
    }
}

// operands of one dense layout, rows of it, or one value -> outputs of that layout; shared:
// [slots][width][lanes]
template <class Stored>
__device__ __forceinline__ void chain_groups(const Chain<Stored>& chain) {
    using T = typename Chain<Stored>::T;
    constexpr int width = Chain<Stored>::width;
    SharedArena arena;
    T* slots = nullptr;
    if (chain.slot_count > 0) slots = arena.take<T>(chain.slot_count * width * thread_count());
    for (int64_t g = grid_thread_index();; g += grid_thread_count()) {
        const GroupPlace place = place_of<width>(chain.is_packed, chain.count, g);
        if (place.valid <= 0) return;
        run_steps(chain, place, slots);
    }
}

template <class Stored>
void launch_chain(const OpCall& call, const ChainParams& params, Queue& queue) {
    using T = typename Chain<Stored>::T;
    constexpr int width = Chain<Stored>::width;
    const Chain<Stored> chain(call, params, queue);
    constexpr size_t enough_shared = 32 * 1024;
    Grid grid = elementwise_grid(chain.count, width);
    while (chain.slot_count * width * sizeof(T) * static_cast<size_t>(grid.threads) > enough_shared) {
        grid.threads /= 2;
        grid.blocks.x = blocks_for(chain.count, grid.threads, width);
    }
    grid.shared_bytes = shared_bytes<T>(static_cast<size_t>(chain.slot_count * width * grid.threads));
    launch_batched<chain_groups<Stored>>(grid, queue.stream(), chain);
}

}  // namespace

namespace ops {

// operands that broadcast to [...] -> [...] each: step i applies function i to operands of the call, or
// results of earlier steps
void chain(const OpCall& call, const ChainParams& params, Queue& queue) {
    check_chain(call, params);
    const TensorView& out = call.outputs[0];
    if (element_count(out) == 0) return;
    if (out.dtype == DType::float32) return launch_chain<float>(call, params, queue);
    if (out.dtype == DType::float64) return launch_chain<double>(call, params, queue);
    if (out.dtype == DType::float16) return launch_chain<Float16>(call, params, queue);
    if (out.dtype == DType::bfloat16) return launch_chain<BFloat16>(call, params, queue);
    fail("needs a float dtype, got %s", dtype_name(out.dtype));
}

}  // namespace ops

}  // namespace nativegrad::cuda
