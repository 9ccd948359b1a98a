// The operands of label_mean, for every backend.
#pragma once

#include "ops/operands.h"

namespace nativegrad {

// terms [N], labels [N], (weights [C]) -> mean [], divisor []
inline void check_label_mean(const OpCall& call) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 2);
    const TensorView &terms = call.inputs[0], &labels = call.inputs[1];
    const TensorView &mean = call.outputs[0], &divisor = call.outputs[1];
    const bool has_weights = call.input_count == 3;
    if (terms.rank != 1 || labels.rank != 1 || labels.shape[0] != terms.shape[0] || is_float(labels.dtype) ||
        (has_weights && (call.inputs[2].rank != 1 || call.inputs[2].is_host_scalar)))
        fail("needs terms [N], integer labels [N] and weights [C]");
    if (element_count(mean) != 1 || element_count(divisor) != 1 || !is_float(mean.dtype) ||
        !is_float(divisor.dtype))
        fail("needs two float results of one element");
}

}  // namespace nativegrad
