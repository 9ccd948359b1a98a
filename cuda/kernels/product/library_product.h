#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// The product by cuBLASLt; false, and nothing done, where it is small, lies in a way that the library does
// not know, or there is no library.
bool multiply_by_library(const TiledProduct& product, Queue& queue);

}  // namespace nativegrad::cuda
