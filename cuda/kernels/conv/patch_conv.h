// Convolutions of two-byte floats by patches on tensor cores (patch_product.h, patch_gradient.h). Each
// returns false, and has done nothing, where the dtype, the device or the shape is not for them.
#pragma once

#include "backend/queue.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/product/finish.h"

namespace nativegrad::cuda {

// image [N, C, H, W], w [O, C / groups, kH, kW] -> finish [pixels, O]; mean and squares around it of each
// output channel to moments[0] and [1], where they are wanted. `backward`: the image is the gradient of the
// output, and the results are those of the input.
bool convolve_by_patches(const ConvShape& shape, const TensorView& image, bool backward, const TensorView& w,
                         const Finish& finish, const TensorView* moments, Queue& queue);

// x [N, C, H, W], dy [N, O, H', W'] channels last -> dw [O, C / groups, kH, kW], db [O] where it is wanted,
// of any strides
bool sum_taps_by_patches(const ConvShape& shape, const TensorView& x, const TensorView& dy,
                         const TensorView& dw, const TensorView* db, Queue& queue);

}  // namespace nativegrad::cuda
