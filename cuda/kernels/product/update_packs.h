// Updates behind a product, 16 bytes at a time.
#pragma once

#include "device/index.h"
#include "device/prefetch.h"
#include "kernels/product/finish.h"
#include "kernels/product/product.h"

namespace nativegrad::cuda {

// Whether an update can take the elements of a row four by four.
__device__ __forceinline__ bool updates_in_packs(const Finish& finish, const ProductShape& shape) {
    if (!is_update(finish) || shape.batches != 1 || finish.has_bias || finish.column_stride != 1)
        return false;
    bool fits = shape.n % 4 == 0 && finish.row_stride % 4 == 0 && is_aligned(finish.out, 16);
#pragma unroll
    for (int i = 0; i < 3; ++i) fits = fits && is_aligned(finish.update.state[i], 16);
    return fits && is_aligned(finish.update.low, 8);
}

// What an update of a tile reads is asked for while its product is made: of one model it lies in the
// second-level cache, of many in memory.
template <int side>
__device__ __forceinline__ void prefetch_update(const Finish& finish, const ProductShape& shape,
                                                int64_t first_row, int64_t first_column) {
    const int64_t row = first_row + thread_index(), rest = shape.n - first_column;
    if (thread_index() >= side || row >= shape.m) return;
    const int64_t at = row * finish.row_stride + first_column;
    const int bytes = static_cast<int>(sizeof(float)) * (rest < side ? static_cast<int>(rest) : side);
    prefetch_l2(static_cast<const float*>(finish.out) + at, bytes);
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        if (finish.update.state[i] != nullptr) prefetch_l2(finish.update.state[i] + at, bytes);
    }
}

}  // namespace nativegrad::cuda
