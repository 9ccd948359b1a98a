#include "kernels/conv/conv_shape.h"

namespace nativegrad::cuda {

namespace {

constexpr int64_t longest_side = INT32_MAX;  // keeps products of a few such numbers within 64 bits

void check_params(const ConvParams& params) {
    if (params.stride.count != 2 || params.dilation.count != 2 || params.padding.count != 4)
        fail("expected 2 strides, 2 dilations and 4 paddings");
    for (int i = 0; i < 2; ++i) {
        for (const int64_t value : {params.stride.values[i], params.dilation.values[i]}) {
            if (value < 1 || value > longest_side) fail("strides and dilations must be in [1, 2^31)");
        }
    }
    for (int i = 0; i < 4; ++i) {
        if (params.padding.values[i] < 0 || params.padding.values[i] > longest_side)
            fail("paddings must be in [0, 2^31)");
    }
    if (params.groups < 1) fail("groups must be positive");
}

void check_sides(const ConvParams& params, const TensorView& x, const TensorView& w, const TensorView& y) {
    for (int axis = 0; axis < 2; ++axis) {
        const int64_t reach = (w.shape[2 + axis] - 1) * params.dilation.values[axis] + 1;
        const int64_t padded =
            x.shape[2 + axis] + params.padding.values[2 * axis] + params.padding.values[2 * axis + 1];
        const int64_t needed = (y.shape[2 + axis] - 1) * params.stride.values[axis] + reach;
        if (w.shape[2 + axis] < 1 || y.shape[2 + axis] < 1 || needed > padded)
            fail("the kernel does not fit into the image");
        if (padded > longest_side || reach > longest_side)
            fail("the padded image has 2^31 or more pixels along a side");
    }
}

ImageOperand operand(const ConvShape& shape, const TensorView& image) {
    ImageOperand operand{};
    operand.data = image.data;
    operand.dtype = image.dtype;
    operand.access = Access::converted;
    operand.kernel_columns = Divisor(shape.kernel_columns);
    operand.height = static_cast<int32_t>(image.shape[2]);
    operand.width = static_cast<int32_t>(image.shape[3]);
    for (int axis = 0; axis < 2; ++axis) {
        operand.stride[axis] = shape.stride[axis];
        operand.dilation[axis] = shape.dilation[axis];
        operand.before[axis] = shape.before[axis];
    }
    for (int axis = 0; axis < 4; ++axis) operand.strides[axis] = image.strides[axis];
    return operand;
}

// A divisor of nothing is never used.
Divisor divisor(int64_t number) { return Divisor(number > 0 ? number : 1); }

}  // namespace

ConvShape conv_shape(const ConvParams& params, const TensorView& x, const TensorView& w,
                     const TensorView& y) {
    check_params(params);
    if (x.rank != 4 || w.rank != 4 || y.rank != 4) fail("works on tensors of rank 4");
    if (x.shape[0] != y.shape[0] || w.shape[0] != y.shape[1] || w.shape[1] * params.groups != x.shape[1] ||
        w.shape[0] % params.groups != 0)
        fail("batch or channels differ");
    check_sides(params, x, w, y);
    ConvShape shape{x.shape[0],    x.shape[1], x.shape[2], x.shape[3], y.shape[1], y.shape[2], y.shape[3],
                    params.groups, w.shape[2], w.shape[3], {},         {},         {}};
    for (int axis = 0; axis < 2; ++axis) {
        shape.stride[axis] = static_cast<int32_t>(params.stride.values[axis]);
        shape.dilation[axis] = static_cast<int32_t>(params.dilation.values[axis]);
        shape.before[axis] = static_cast<int32_t>(params.padding.values[2 * axis]);
    }
    return shape;
}

ImageOperand forward_operand(const ConvShape& shape, const TensorView& x, bool turned) {
    ImageOperand image = operand(shape, x);
    image.turned = turned;
    image.pixels = shape.out_pixels();
    image.taps = shape.taps() * shape.group_channels();
    image.pixel_columns = divisor(shape.out_width);
    image.pixel_rows = divisor(shape.out_height);
    image.channels = divisor(shape.group_channels());
    return image;
}

ImageOperand backward_operand(const ConvShape& shape, const TensorView& dy) {
    ImageOperand image = operand(shape, dy);
    image.transposed = true;
    image.pixels = shape.in_pixels();
    image.taps = shape.taps() * shape.group_out_channels();
    image.pixel_columns = divisor(shape.width);
    image.pixel_rows = divisor(shape.height);
    image.channels = divisor(shape.group_out_channels());
    return image;
}

}  // namespace nativegrad::cuda
