#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/chain_steps.h"

namespace nativegrad::cuda {

namespace {

template <class T>
__device__ __forceinline__ void load_input(const Chain<T>& chain, const Operand& x, const GroupPlace& place,
                                           Group<T>& values) {
    if (x.kind == OperandKind::one) {
        const T value = load_as<T>(x.source, 0);
#pragma unroll
        for (int i = 0; i < group; ++i) values[i] = value;
        return;
    }
    const T* from = static_cast<const T*>(x.source.data);
    const bool is_row = x.kind == OperandKind::row;
    if (chain.is_packed && place.valid == group) {
        const int64_t row = is_row ? quotient_of(place.first, chain.period) * chain.period : 0;
        load_group(x.source, place.first - row, values);
        return;
    }
#pragma unroll
    for (int i = 0; i < group; ++i) {
        int64_t at = place.first + i * place.step;
        if (is_row) at -= quotient_of(at, chain.period) * chain.period;
        values[i] = i < place.valid ? from[at] : T(1);
    }
}

template <class T>
__device__ __forceinline__ void store_output(const Chain<T>& chain, void* out, const GroupPlace& place,
                                             const Group<T>& values) {
    T* const to = static_cast<T*>(out);
    constexpr DType dtype = std::is_same_v<T, double> ? DType::float64 : DType::float32;
    if (chain.is_packed && place.valid == group) return store_group(out, dtype, place.first, values);
#pragma unroll
    for (int i = 0; i < group; ++i) {
        if (i < place.valid) to[place.first + i * place.step] = values[i];
    }
}

// A lane's group in slot `slot` of shared memory: nobody else touches it.
template <class T>
__device__ __forceinline__ T& in_slot(T* slots, int slot, int i) {
    return slots[(slot * group + i) * thread_count() + thread_index()];
}

template <class T>
__device__ __forceinline__ void load_step_operand(const Chain<T>& chain, int32_t operand, int32_t step,
                                                  const GroupPlace& place, const Group<T>& last, T* slots,
                                                  Group<T>& values) {
    const int32_t made = operand - chain.input_count;
    if (made < 0) return load_input(chain, chain.in[operand], place, values);
#pragma unroll
    for (int i = 0; i < group; ++i)
        values[i] = made == step - 1 ? last[i] : in_slot(slots, chain.steps[made].slot, i);
}

template <class T>
__device__ __forceinline__ void run_steps(const Chain<T>& chain, const GroupPlace& place, T* slots) {
    Group<T> last;
    for (int32_t i = 0; i < chain.step_count; ++i) {
        const ChainStep<T>& step = chain.steps[i];
        Group<T> left, right;
        T p0 = step.p0, p1 = step.p1;
        if (chain.changing != nullptr) p0 = chain.changing->p0[i], p1 = chain.changing->p1[i];
        load_step_operand(chain, step.left, i, place, last, slots, left);
        if (step.right >= 0) {
            load_step_operand(chain, step.right, i, place, last, slots, right);
            apply_binary<T>(static_cast<BinaryFunction>(step.function - chain_unary_count), left, right, p0,
                            p1, last);
        } else {
            apply_unary<T>(static_cast<UnaryFunction>(step.function), left, p0, p1, last);
        }
        if (step.slot >= 0) {
#pragma unroll
            for (int k = 0; k < group; ++k) in_slot(slots, step.slot, k) = last[k];
        }
        if (step.output >= 0) store_output(chain, chain.out[step.output], place, last);
    }
}

// operands of one dense layout, rows of it, or one value -> outputs of that layout; shared:
// [slots][group][lanes]
template <class T>
__device__ __forceinline__ void chain_groups(const Chain<T>& chain) {
    SharedArena arena;
    T* slots = nullptr;
    if (chain.slot_count > 0) slots = arena.take<T>(chain.slot_count * group * thread_count());
    for (int64_t g = grid_thread_index();; g += grid_thread_count()) {
        const GroupPlace place = place_of(chain.is_packed, chain.count, g);
        if (place.valid <= 0) return;
        run_steps(chain, place, slots);
    }
}

template <class T>
void launch_chain(const OpCall& call, const ChainParams& params, Queue& queue) {
    const Chain<T> chain(call, params, queue);
    constexpr size_t enough_shared = 32 * 1024;
    Grid grid = elementwise_grid(chain.count, group);
    while (chain.slot_count * group * sizeof(T) * static_cast<size_t>(grid.threads) > enough_shared) {
        grid.threads /= 2;
        grid.blocks.x = blocks_for(chain.count, grid.threads, group);
    }
    grid.shared_bytes = shared_bytes<T>(static_cast<size_t>(chain.slot_count * group * grid.threads));
    launch_batched<chain_groups<T>>(grid, queue.stream(), chain);
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
    fail("needs float32 or float64, got %s", dtype_name(out.dtype));
}

}  // namespace ops

}  // namespace nativegrad::cuda
