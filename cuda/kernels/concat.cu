#include "backend/ops.h"
#include "ops/operands.h"

namespace nativegrad::cuda::ops {

// x_i [.., D_i, ..] -> out [.., sum of D_i, ..], cast to the output's dtype
void concat(const OpCall& call, const AxisParams& params, Queue& queue) {
    if (call.input_count < 1 || call.output_count != 1) fail("takes one or more inputs and one output");
    const TensorView& out = call.outputs[0];
    const int64_t axis = params.axis;
    if (axis < 0 || axis >= out.rank) fail("axis %d of rank %d", static_cast<int>(axis), out.rank);
    int64_t start = 0;
    for (int32_t i = 0; i < call.input_count; ++i) {
        const TensorView& x = call.inputs[i];
        for (int32_t k = 0; k < out.rank; ++k) {
            if (x.rank != out.rank || (k != axis && x.shape[k] != out.shape[k]))
                fail("input %d differs from the output beside axis %d", i, static_cast<int>(axis));
        }
        if (start + x.shape[axis] > out.shape[axis]) fail("the inputs are longer than the output");
        TensorView part = out;
        part.shape[axis] = x.shape[axis];
        const int64_t offset = start * out.strides[axis] * static_cast<int64_t>(item_size(out.dtype));
        part.data = static_cast<char*>(out.data) + offset;
        if (element_count(part) > 0) copy({1, 1, 1, &x, &part, nullptr}, {}, queue);
        start += x.shape[axis];
    }
    if (start != out.shape[axis]) fail("the inputs are shorter than the output");
}

}  // namespace nativegrad::cuda::ops
