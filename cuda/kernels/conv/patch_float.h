// Convolutions of floats by patches, with fused multiply-adds: TF32 is not for float32.
#pragma once

#include "backend/queue.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/product/finish.h"

namespace nativegrad::cuda {

// As convolve_by_patches, for float32 and without statistics.
bool convolve_floats(const ConvShape& shape, const TensorView& image, bool backward, const TensorView& w,
                     const Finish& finish, Queue& queue);

}  // namespace nativegrad::cuda
