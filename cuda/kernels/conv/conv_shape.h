// The sizes of a convolution, checked.
#pragma once

#include "kernels/conv/image_operand.h"
#include "ops/op_params.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

// x [N, C, H, W], w [O, C / groups, kH, kW], y [N, O, H', W']
struct ConvShape {
    int64_t images, channels, height, width, out_channels, out_height, out_width;
    int64_t groups, kernel_rows, kernel_columns;
    int32_t stride[2], dilation[2], before[2];

    int64_t group_channels() const { return channels / groups; }
    int64_t group_out_channels() const { return out_channels / groups; }
    int64_t in_pixels() const { return images * height * width; }
    int64_t out_pixels() const { return images * out_height * out_width; }
    int64_t taps() const { return kernel_rows * kernel_columns; }
};

ConvShape conv_shape(const ConvParams& params, const TensorView& x, const TensorView& w, const TensorView& y);

// What the taps of y's pixels read of x; `turned` for the gradient of the weight.
ImageOperand forward_operand(const ConvShape& shape, const TensorView& x, bool turned);
// What the taps of x's pixels read of dy.
ImageOperand backward_operand(const ConvShape& shape, const TensorView& dy);

}  // namespace nativegrad::cuda
