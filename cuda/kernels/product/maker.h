// Who makes a product: the plugin's own kernels, or cuBLASLt.
#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// True where cuBLASLt was found to be faster, and has made the product; false, and nothing done, where own
// kernels shall. That is also where the device has no room for what the library works with, and then for the
// rest of the process; but not in deterministic mode, where bits may not depend on memory: it throws then.
bool is_made_by_library(const TiledProduct& product, Queue& queue, bool& has_row_sums);

}  // namespace nativegrad::cuda
