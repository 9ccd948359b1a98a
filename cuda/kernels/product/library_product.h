#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// Whether cuBLASLt is there and knows such factors and outputs; it may yet have no algorithm for them.
bool library_takes(const TiledProduct& product);

// False, and nothing done, where it has none, or does not take the product. has_row_sums: whether it made
// them, too.
bool multiply_by_library(const TiledProduct& product, Queue& queue, bool& has_row_sums);

}  // namespace nativegrad::cuda
