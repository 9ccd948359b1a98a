#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// In the compute type of the output, by the plugin's own kernels. False: the row sums are not there yet.
bool multiply_by_own_kernels(const TiledProduct& product, Queue& queue);

}  // namespace nativegrad::cuda
