// Convolutions of images of one to four channels, which fill no tensor core: a lane sums eight output
// channels of four pixels, the patch under a tile lies in shared memory as floats. Each returns false, and
// has done nothing, where the dtype or the shape is not for it.
#pragma once

#include "backend/queue.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/conv/patch.h"
#include "kernels/product/finish.h"

namespace nativegrad::cuda {

// x [N, C, H, W], w [O, C, kH, kW] -> finish [pixels, O], and moments as convolve_by_patches
bool convolve_narrow(const ConvShape& shape, const TensorView& x, const TensorView& w, const Finish& finish,
                     const TensorView* moments, Queue& queue);

// x [N, C, H, W], dy [N, O, H', W'] channels last -> dw [O, C, kH, kW], db [O] where it is wanted
bool sum_taps_narrow(const ConvShape& shape, const TensorView& x, const TensorView& dy, const TensorView& dw,
                     const TensorView* db, Queue& queue);

}  // namespace nativegrad::cuda
