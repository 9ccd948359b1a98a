// What a chain of elementwise functions is, for every backend: its operands' kinds and the checks of its
// steps.
#pragma once

#include <algorithm>

#include "ops/functions.h"
#include "ops/operands.h"

namespace nativegrad {

constexpr int32_t chain_unary_count = static_cast<int32_t>(UnaryFunction::count);
constexpr int32_t chain_binary_count = static_cast<int32_t>(BinaryFunction::count);

// full: laid out as the outputs are; row: one value for each place of the last axis; scalar: one for all.
enum class ChainInput { full, row, scalar };

inline bool same_dense_layout(const TensorView& a, const TensorView& b) {
    if (a.rank != b.rank || !std::equal(a.shape, a.shape + a.rank, b.shape)) return false;
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] > 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

inline ChainInput chain_input_of(const TensorView& x, const TensorView& out) {
    if (is_one_value(x)) return ChainInput::scalar;
    if (same_dense_layout(x, out)) return ChainInput::full;
    const bool is_row = out.rank > 0 && x.rank > 0 && element_count(x) == x.shape[x.rank - 1] &&
                        x.shape[x.rank - 1] == out.shape[out.rank - 1] && x.strides[x.rank - 1] == 1 &&
                        is_row_major(out);
    if (!is_row) fail("an operand is neither laid out as the result, nor a row, nor a number");
    return ChainInput::row;
}

inline void check_chain(const OpCall& call, const ChainParams& params) {
    if (call.output_count < 1) fail("needs an output");
    const int32_t steps = params.functions.count, inputs = call.input_count;
    if (steps < 1 || params.lefts.count != steps || params.rights.count != steps ||
        params.outputs.count != call.output_count || inputs > 2 * max_rank)
        fail("needs a function and two operands for each step, and a step for each output");
    for (int32_t i = 0; i < steps; ++i) {
        const int64_t function = params.functions.values[i], limit = inputs + i;
        if (function < 0 || function >= chain_unary_count + chain_binary_count)
            fail("no function %lld", static_cast<long long>(function));
        const bool is_binary = function >= chain_unary_count;
        if (params.lefts.values[i] < 0 || params.lefts.values[i] >= limit ||
            (is_binary && (params.rights.values[i] < 0 || params.rights.values[i] >= limit)))
            fail("step %d reads what is not there yet", i);
    }
    for (int32_t i = 0; i < params.outputs.count; ++i) {
        if (params.outputs.values[i] < 0 || params.outputs.values[i] >= steps)
            fail("no step for output %d", i);
    }
    const TensorView& out = call.outputs[0];
    for (int32_t i = 0; i < call.output_count; ++i) {
        if (!is_dense(call.outputs[i]) || !same_dense_layout(call.outputs[i], out) ||
            call.outputs[i].dtype != out.dtype)
            fail("needs outputs of one dtype and dense layout");
    }
}

// The second operand of a step, or -1.
inline int64_t right_of(const ChainParams& params, int32_t step) {
    return params.functions.values[step] >= chain_unary_count ? params.rights.values[step] : -1;
}

// Which output a step writes, or -1.
inline int32_t output_of(const ChainParams& params, int32_t step) {
    for (int32_t k = 0; k < params.outputs.count; ++k) {
        if (params.outputs.values[k] == step) return k;
    }
    return -1;
}

}  // namespace nativegrad
