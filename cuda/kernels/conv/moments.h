#pragma once

#include "backend/queue.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cuda {

// y [N, C, H, W], channels last -> mean [C] over all pixels, sum of squares around it [C]; 0 without pixels
void channel_moments(const TensorView& y, const TensorView& mean, const TensorView& squares, Queue& queue);

// partials [parts, 3, C]: count, mean and squares around it of each part -> mean [C], squares [C], joined in
// the order of the parts
template <class T>
void join_moments(const T* partials, int64_t parts, const TensorView& mean, const TensorView& squares,
                  Stream stream);

}  // namespace nativegrad::cuda
