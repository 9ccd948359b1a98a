// The body of multiply_split, for the files that instantiate it.
#pragma once

#include "kernels/product/split_choice.h"
#include "kernels/product/split_product.h"
#include "kernels/product/tile_choice.h"

namespace nativegrad::cuda {

template <class T, int side, bool a_by_row, bool b_by_row>
void launch_split(const StridedOperand& a, const StridedOperand& b, const ProductShape& shape,
                  const StridedAxes<3>& batches, const Finish& finish, const Finish* row_sums,
                  Stream stream) {
    const int64_t tiles = tiles_of(shape.m, shape.n, 1, side, side);
    const Grid grid{{tiles, 1, batch_planes(shape)}, split_threads, split_shared_bytes<T, side>()};
    launch_batched<split_product<T, side, a_by_row, b_by_row>, split_threads, 2>(
        grid, stream, a, b, shape, batches, finish, row_sums == nullptr ? Finish() : *row_sums);
}

template <class T, int side>
void launch_split_by_access(const StridedOperand& a, const StridedOperand& b, const ProductShape& shape,
                            const StridedAxes<3>& batches, const Finish& finish, const Finish* row_sums,
                            Stream stream) {
    const bool a_by_row = a.access == Access::row_chunks, b_by_row = b.access == Access::row_chunks;
    if (a_by_row && b_by_row)
        return launch_split<T, side, true, true>(a, b, shape, batches, finish, row_sums, stream);
    if (a_by_row) return launch_split<T, side, true, false>(a, b, shape, batches, finish, row_sums, stream);
    if (b_by_row) return launch_split<T, side, false, true>(a, b, shape, batches, finish, row_sums, stream);
    launch_split<T, side, false, false>(a, b, shape, batches, finish, row_sums, stream);
}

template <class T>
void multiply_split(int side, const StridedOperand& a, const StridedOperand& b, const ProductShape& shape,
                    const StridedAxes<3>& batches, const Finish& finish, const Finish* row_sums,
                    Stream stream) {
    if constexpr (sizeof(T) == 4) {
        launch_split<T, 32, false, false>(a, b, shape, batches, finish, row_sums, stream);
    } else if (side == 32) {
        launch_split_by_access<T, 32>(a, b, shape, batches, finish, row_sums, stream);
    } else {
        launch_split_by_access<T, 64>(a, b, shape, batches, finish, row_sums, stream);
    }
}

}  // namespace nativegrad::cuda
