// A chain of elementwise functions as its kernel takes it: what each step reads, and where its result waits
// for later ones.
#pragma once

#include "backend/queue.h"
#include "kernels/elementwise/walk.h"
#include "ops/chain_steps.h"

namespace nativegrad::cuda {

constexpr int most_chain = 2 * max_rank;

template <class T>
struct ChainStep {
    int32_t function, left, right;
    int32_t slot;    // of shared memory, for steps behind the next; -1: none
    int32_t output;  // -1: none
    T p0, p1;
};

// Constants of the steps, where they change.
template <class T>
struct ChainConstants {
    T p0[most_chain], p1[most_chain];
};

template <class T>
ChainConstants<T> chain_constants_of(const ChainParams& params) {
    ChainConstants<T> result{};
    for (int32_t i = 0; i < params.functions.count; ++i) {
        result.p0[i] = constant_of<T>(params.p0[i].values[0]);
        result.p1[i] = constant_of<T>(params.p1[i].values[0]);
    }
    return result;
}

// Inputs of the call, then steps. The result of the step before is at hand; earlier ones lie in slots.
template <class Stored>
struct Chain {
    // What elements are computed in, and how many of them a lane takes.
    using T = std::conditional_t<std::is_same_v<Stored, double>, double, float>;
    static constexpr int width = sizeof(Stored) == 2 ? wide_group : group;
    using Values = T[width];

    int32_t input_count, step_count, slot_count;
    bool is_packed;
    int64_t count, period;
    Operand in[most_chain];
    ChainStep<T> steps[most_chain];
    void* out[most_chain];
    const ChainConstants<T>* changing;  // null: those of the steps

    Chain(const OpCall& call, const ChainParams& params, const Queue& queue)
        : input_count(call.input_count), step_count(params.functions.count), slot_count(0), is_packed(true) {
        const Live<ChainConstants<T>> constants = queue.live(params, &chain_constants_of<T>);
        changing = constants.place;
        const TensorView& result = call.outputs[0];
        count = element_count(result);
        period = result.rank == 0 ? 1 : result.shape[result.rank - 1];
        for (int32_t i = 0; i < input_count; ++i) set_input(i, call.inputs[i], result);
        for (int32_t i = 0; i < call.output_count; ++i) {
            out[i] = call.outputs[i].data;
            is_packed = is_packed && is_group_aligned(out[i], result.dtype, width);
        }
        for (int32_t i = 0; i < step_count; ++i) {
            steps[i] = {static_cast<int32_t>(params.functions.values[i]),
                        static_cast<int32_t>(params.lefts.values[i]),
                        static_cast<int32_t>(right_of(params, i)),
                        -1,
                        output_of(params, i),
                        constants.value.p0[i],
                        constants.value.p1[i]};
        }
        set_slots();
    }

  private:
    void set_input(int32_t i, const TensorView& x, const TensorView& result) {
        const ChainInput kind = chain_input_of(x, result);
        if (kind != ChainInput::scalar && x.dtype != result.dtype) fail("needs operands of one dtype");
        in[i] = {source_of(x), kind == ChainInput::scalar ? OperandKind::one
                               : kind == ChainInput::full ? OperandKind::packed
                                                          : OperandKind::row};
        if (kind != ChainInput::scalar) is_packed = is_packed && is_group_aligned(x.data, x.dtype, width);
        if (kind == ChainInput::row) is_packed = is_packed && period % width == 0;
    }

    // A result that only the next step reads needs no slot; a slot is free again behind the last that reads
    // it.
    void set_slots() {
        int32_t last_use[most_chain];
        for (int32_t i = 0; i < step_count; ++i) {
            last_use[i] = i;
            // nvcc takes no braces in the loop's head.
            const int32_t operands[] = {steps[i].left, steps[i].right};
            for (const int32_t operand : operands) {
                if (operand >= input_count) last_use[operand - input_count] = i;
            }
        }
        int32_t free_after[most_chain];  // the last use of what a slot holds
        for (int32_t i = 0; i < step_count; ++i) {
            if (last_use[i] <= i + 1) continue;
            int32_t slot = 0;
            while (slot < slot_count && free_after[slot] > i) ++slot;
            if (slot == slot_count) ++slot_count;
            free_after[slot] = last_use[i];
            steps[i].slot = slot;
        }
    }
};

}  // namespace nativegrad::cuda
