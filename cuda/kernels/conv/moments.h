#pragma once

#include "backend/queue.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cuda {

// y [N, C, H, W], channels last -> mean [C] over all pixels, sum of squares around it [C]; 0 without pixels
void channel_moments(const TensorView& y, const TensorView& mean, const TensorView& squares, Queue& queue);

}  // namespace nativegrad::cuda
