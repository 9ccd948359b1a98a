// The body of multiply_halves, for the files that instantiate it.
#pragma once

#include "kernels/product/half_choice.h"
#include "kernels/product/half_product.h"

namespace nativegrad::cuda {

template <class Half, bool a_by_row, bool b_by_row, class Left, class Right>
void launch_halves(const Left& a, const Right& b, const ProductShape& shape, const StridedAxes<3>& batches,
                   const Finish& finish, float* partials, Stream stream) {
    launch_batched<half_product<Half, a_by_row, b_by_row, Left, Right>, half_threads, 3>(
        product_grid(shape, half_side, half_side, half_threads, half_shared_bytes<Half>()), stream, a, b,
        shape, batches, finish, partials);
}

template <class Half, class Left, class Right>
void multiply_halves(const Left& a, const Right& b, int64_t m, int64_t n, int64_t k,
                     const StridedAxes<3>& batches, const Finish& finish, Queue& queue) {
    const ProductShape whole{m, n, k, batches.count(), 1, k};
    const int64_t tiles = tiles_of(m, n, whole.batches, half_side, half_side);
    const ProductShape shape = divide_depth(whole, tiles, half_depth, 128);
    const bool a_by_row = a.access == Access::row_chunks, b_by_row = b.access == Access::row_chunks;
    in_parts<float>(shape, batches, finish, queue, [&](float* partials) {
        const Stream stream = queue.stream();
        // An image's pixels never lie side by side.
        if constexpr (std::is_same_v<Left, StridedOperand>) {
            if (a_by_row && b_by_row)
                return launch_halves<Half, true, true>(a, b, shape, batches, finish, partials, stream);
            if (a_by_row)
                return launch_halves<Half, true, false>(a, b, shape, batches, finish, partials, stream);
            if (b_by_row)
                return launch_halves<Half, false, true>(a, b, shape, batches, finish, partials, stream);
        }
        launch_halves<Half, false, false>(a, b, shape, batches, finish, partials, stream);
    });
}

}  // namespace nativegrad::cuda
