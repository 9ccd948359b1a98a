// Convolutions in which every channel has an image of its own: eight channels of a pixel a lane.
#pragma once

#include "backend/queue.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/product/finish.h"

namespace nativegrad::cuda {

// As convolve_by_patches, without statistics, for any stride, float32 and two-byte floats.
bool convolve_depthwise(const ConvShape& shape, const TensorView& image, bool backward, const TensorView& w,
                        const Finish& finish, Queue& queue);

}  // namespace nativegrad::cuda
