// Convolutions as products: pixels times taps, the image read as it lies.
#include "backend/ops.h"
#include "kernels/conv/conv_product.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/conv/depthwise.h"
#include "kernels/conv/images.h"
#include "kernels/conv/moments.h"
#include "kernels/conv/narrow_conv.h"
#include "kernels/conv/patch_conv.h"
#include "kernels/conv/patch_float.h"
#include "kernels/product/column_sums.h"
#include "kernels/product/linear_checks.h"

namespace nativegrad::cuda {

namespace {

const TensorView* bias_of(const OpCall& call, int64_t channels) {
    if (call.input_count < 3) return nullptr;
    const TensorView& bias = call.inputs[2];
    if (bias.rank != 1 || bias.shape[0] != channels)
        fail("expected one value for each of %lld channels", static_cast<long long>(channels));
    return &bias;
}

Finish image_finish(const TensorView& out, const TensorView* bias, int64_t groups) {
    Finish finish(out.data, out.dtype, out.shape[1]);
    if (bias == nullptr) return finish;
    finish.has_bias = true;
    finish.bias = source_of(*bias);
    finish.bias_stride = bias->strides[0];
    finish.bias_batch = out.shape[1] / groups * bias->strides[0];
    return finish;
}

// x, w(, bias) -> y, channels last, and its moments where they are wanted; false: those are not there yet
bool forward(const OpCall& call, const ConvShape& shape, FinishKind kind, const TensorView& y,
             const TensorView* moments, Queue& queue) {
    Finish finish = image_finish(y, bias_of(call, shape.out_channels), shape.groups);
    finish.kind = kind;
    const TensorView &x = call.inputs[0], &weight = call.inputs[1];
    if (convolve_by_patches(shape, x, false, weight, finish, moments, queue) ||
        convolve_narrow(shape, x, weight, finish, moments, queue))
        return true;
    if (convolve_floats(shape, x, false, weight, finish, queue) ||
        convolve_depthwise(shape, x, false, weight, finish, queue))
        return false;
    const int64_t depth = shape.taps() * shape.group_channels(), columns = shape.group_out_channels();
    const TapWeights weights(weight, shape.groups, false, queue);
    const StridedOperand w{weights.data(), weight.dtype, Access::converted, columns, depth, depth, 1};
    const GroupSteps steps{shape.groups, columns, shape.group_channels() * x.strides[1], columns * depth};
    multiply_pixels(forward_operand(shape, x, false), w, steps, finish, queue);
    return false;
}

// dy, w -> dx, channels last
void backward_input(const OpCall& call, const ConvShape& shape, const Finish& finish, Queue& queue) {
    const TensorView& dy = call.inputs[0];
    if (convolve_by_patches(shape, dy, true, call.inputs[1], finish, nullptr, queue) ||
        convolve_floats(shape, dy, true, call.inputs[1], finish, queue) ||
        convolve_depthwise(shape, dy, true, call.inputs[1], finish, queue))
        return;
    const int64_t depth = shape.taps() * shape.group_out_channels(), columns = shape.group_channels();
    const TapWeights weights(call.inputs[1], shape.groups, true, queue);
    const StridedOperand w{weights.data(), call.inputs[1].dtype, Access::converted, columns, depth, depth, 1};
    const GroupSteps steps{shape.groups, columns, shape.group_out_channels() * dy.strides[1],
                           columns * depth};
    multiply_pixels(backward_operand(shape, dy), w, steps, finish, queue);
}

void check_float(const TensorView& x) {
    if (!is_float(x.dtype)) fail("needs a float dtype, got %s", dtype_name(x.dtype));
}

}  // namespace

namespace ops {

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W']
void conv2d(const OpCall& call, const ConvParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView& y = call.outputs[0];
    if (element_count(y) == 0) return;
    const ConvShape shape = conv_shape(params, call.inputs[0], call.inputs[1], y);
    check_float(y);
    MadeImages made(y, queue);
    forward(call, shape, FinishKind::store, made.view(), nullptr, queue);
    made.finish();
}

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W'], mean [O] of y over all pixels,
// sum of squares around it [O]
void conv2d_statistics(const OpCall& call, const ConvParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 3);
    const TensorView& y = call.outputs[0];
    const ConvShape shape = conv_shape(params, call.inputs[0], call.inputs[1], y);
    for (int i = 1; i < 3; ++i) {
        if (call.outputs[i].rank != 1 || call.outputs[i].shape[0] != shape.out_channels)
            fail("expected one value for each of %lld channels", static_cast<long long>(shape.out_channels));
    }
    check_float(y);
    MadeImages made(y, queue);
    const bool has_moments =
        element_count(y) > 0 && forward(call, shape, FinishKind::store, made.view(), call.outputs + 1, queue);
    if (!has_moments) channel_moments(made.view(), call.outputs[1], call.outputs[2], queue);
    made.finish();
}

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W'] = relu of the convolution
void conv2d_relu(const OpCall& call, const ConvParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView& y = call.outputs[0];
    if (element_count(y) == 0) return;
    const ConvShape shape = conv_shape(params, call.inputs[0], call.inputs[1], y);
    check_one_float(call);
    MadeImages made(y, queue);
    forward(call, shape, FinishKind::relu, made.view(), nullptr, queue);
    made.finish();
}

// dy [N, O, H', W'], w [O, C / groups, kH, kW], (bias [C]) -> dx [N, C, H, W]; with bias: the transposed
// convolution
void conv2d_backward_input(const OpCall& call, const ConvParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView& dx = call.outputs[0];
    if (element_count(dx) == 0) return;
    const ConvShape shape = conv_shape(params, dx, call.inputs[1], call.inputs[0]);
    check_float(dx);
    MadeImages made(dx, queue);
    backward_input(call, shape, image_finish(made.view(), bias_of(call, shape.channels), shape.groups),
                   queue);
    made.finish();
}

// dy [N, O, H', W'], w [O, C / groups, kH, kW], y [N, C, H, W] of relu -> dx [N, C, H, W]: the gradient of
// the input where y is positive, else 0
void conv2d_backward_input_relu(const OpCall& call, const ConvParams& params, Queue& queue) {
    expect_operands(call, 3, 1);
    const TensorView &y = call.inputs[2], &dx = call.outputs[0];
    bool same = y.rank == 4 && dx.rank == 4;
    for (int axis = 0; same && axis < 4; ++axis) same = y.shape[axis] == dx.shape[axis];
    if (!same) fail("needs y of relu as large as dx [N, C, H, W]");
    if (element_count(dx) == 0) return;
    const ConvShape shape = conv_shape(params, dx, call.inputs[1], call.inputs[0]);
    check_one_float(call);
    const DenseImages kept(y, queue, chunk_alignment);
    MadeImages made(dx, queue);
    Finish finish = image_finish(made.view(), nullptr, shape.groups);
    finish.kind = FinishKind::relu_backward;
    finish.other = kept.view().data;
    backward_input(call, shape, finish, queue);
    made.finish();
}

// x [N, C, H, W], dy [N, O, H', W'] -> dw [O, C / groups, kH, kW] (, dbias [O])
void conv2d_backward_weight(const OpCall& call, const ConvParams& params, Queue& queue) {
    expect_operands(call, 2, call.output_count == 2 ? 2 : 1);
    const TensorView &x = call.inputs[0], &dw = call.outputs[0];
    const ConvShape shape = conv_shape(params, x, dw, call.inputs[1]);
    check_float(dw);
    const DenseImages dy(call.inputs[1], queue, chunk_alignment);
    const int64_t pixels = shape.out_pixels(), rows = shape.group_out_channels();
    const TensorView* db = call.output_count == 2 ? &call.outputs[1] : nullptr;
    if (db != nullptr && (db->rank != 1 || db->shape[0] != shape.out_channels))
        fail("the bias has the wrong shape");
    if (element_count(dw) > 0 && pixels > 0 &&
        (sum_taps_by_patches(shape, x, dy.view(), dw, db, queue) ||
         sum_taps_narrow(shape, x, dy.view(), dw, db, queue)))
        return;
    if (element_count(dw) > 0) {
        TensorView made = grouped_weight(dw, shape.groups);
        const TensorView wanted = made;
        set_tap_strides(made, false);
        const Scratch weights(queue, static_cast<size_t>(element_count(dw)) * item_size(dw.dtype));
        made.data = weights.as<void>();
        const int64_t columns = shape.taps() * shape.group_channels();
        const StridedOperand gradient{dy.view().data,    dy.view().dtype, Access::converted, rows, pixels, 1,
                                      shape.out_channels};
        const GroupSteps steps{shape.groups, rows * columns, rows, shape.group_channels() * x.strides[1]};
        multiply_taps(gradient, forward_operand(shape, x, true), steps, Finish(made.data, dw.dtype, columns),
                      queue);
        copy_tensor(made, wanted, queue);
    }
    if (db == nullptr) return;
    TensorView matrix = dy.view();
    matrix.rank = 2;
    matrix.shape[0] = pixels;
    matrix.shape[1] = matrix.strides[0] = shape.out_channels;
    matrix.strides[1] = 1;
    Finish sums(db->data, db->dtype, 0);
    sums.column_stride = db->strides[0];
    sum_columns(matrix, sums, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
