#include <utility>

#include "backend/ops.h"
#include "kernels/product/product.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// The last two dimensions swapped, where asked for.
TensorView matrix_view(const TensorView& x, int32_t transpose) {
    if (x.rank < 2) fail("works on matrices, got rank %d", x.rank);
    TensorView view = x;
    if (transpose != 0) {
        std::swap(view.shape[x.rank - 1], view.shape[x.rank - 2]);
        std::swap(view.strides[x.rank - 1], view.strides[x.rank - 2]);
    }
    return view;
}

// The leading dimensions of x, those of the output.
TensorView batch_view(const TensorView& x, const TensorView& out) {
    TensorView view = out;
    view.rank = out.rank - 2;
    const int32_t missing = out.rank - x.rank;
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        const int64_t size = axis < missing ? 1 : x.shape[axis - missing];
        if (size != 1 && size != out.shape[axis]) fail("operand sizes do not broadcast along axis %d", axis);
        view.strides[axis] = size == 1 ? 0 : x.strides[axis - missing];
    }
    return view;
}

}  // namespace

namespace ops {

// a [..., M, K], b [..., K, N] -> out [..., M, N]; the leading dimensions broadcast
void matmul(const OpCall& call, const MatmulParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView a = matrix_view(call.inputs[0], params.transpose_a);
    const TensorView b = matrix_view(call.inputs[1], params.transpose_b);
    const TensorView& out = call.outputs[0];
    const int32_t r = out.rank, ra = a.rank, rb = b.rank;
    if (r < 2) fail("works on matrices, got an output of rank %d", r);
    if (ra > r || rb > r) fail("an operand of rank %d does not broadcast to rank %d", ra > rb ? ra : rb, r);
    const int64_t m = out.shape[r - 2], n = out.shape[r - 1], k = a.shape[ra - 1];
    if (b.shape[rb - 2] != k || out.strides[r - 1] != 1) fail("inner dimensions differ");
    if (a.shape[ra - 2] != m || b.shape[rb - 1] != n) fail("outer dimensions differ");
    const TensorView batch_a = batch_view(a, out), batch_b = batch_view(b, out);
    const TensorView batch_out = batch_view(out, out);
    multiply(
        {m, n, k, operand_of(a, m, a.strides[ra - 2], k, a.strides[ra - 1]),
         operand_of(b, n, b.strides[rb - 1], k, b.strides[rb - 2]),
         StridedAxes<3>({&batch_out, &batch_a, &batch_b}), Finish(out.data, out.dtype, out.strides[r - 2])},
        queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
