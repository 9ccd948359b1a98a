// Who makes a product: the plugin's own kernels, or cuBLASLt.
#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// Whether the library shall make it, where it can. By time, measured at the first call of a shape and kept;
// by the product's size where nothing may be timed: in deterministic mode, for products that change what they
// read, at a first call while the stream captures.
bool goes_to_library(const TiledProduct& product, Queue& queue);

}  // namespace nativegrad::cuda
