// Which products are made in one launch by split_product.h.
#pragma once

#include "kernels/product/product.h"

namespace nativegrad::cuda {

// The side of the tiles, 32 or 64; 0 where other kernels are better. By the sizes alone, so that bits repeat.
int split_side(const ProductShape& shape, DType dtype);
// Shared memory of a block of theirs.
int64_t split_bytes(int side, DType dtype);

// Factors of one dtype, T's, as their access says; row_sums as in TiledProduct.
template <class T>
void multiply_split(int side, const StridedOperand& a, const StridedOperand& b, const ProductShape& shape,
                    const StridedAxes<3>& batches, const Finish& finish, const Finish* row_sums,
                    Stream stream);

}  // namespace nativegrad::cuda
