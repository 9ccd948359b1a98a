// The body of multiply_in_tiles, for the files that instantiate it.
#pragma once

#include <type_traits>

#include "kernels/product/tile_choice.h"
#include "kernels/product/tile_product.h"

namespace nativegrad::cuda {

template <class T, class Left, class Right>
void multiply_in_tiles(const Left& a, const Right& b, int64_t m, int64_t n, int64_t k,
                       const StridedAxes<3>& batches, const Finish& finish, Queue& queue) {
    const ProductShape whole{m, n, k, batches.count(), 1, k};
    const auto tiles = [&](int64_t side) { return tiles_of(m, n, whole.batches, side, side); };
    // Tiles of 128 would lie half outside of what is no wider than 64.
    const bool is_wide = m > 64 && n > 64;
    const int side = std::is_same_v<T, float> && is_wide && tiles(128) >= blocks_wanted ? 128
                     : !std::is_same_v<T, int64_t> && tiles(64) >= blocks_wanted        ? 64
                                                                                        : 32;
    const ProductShape shape = divide_depth(whole, tiles(side), tile_depth<T>, 128);
    in_parts<T>(shape, batches, finish, queue, [&](T* partials) {
        const Stream stream = queue.stream();
        if constexpr (std::is_same_v<T, float>) {
            if (side == 128) return launch_tiles<T, 8>(a, b, shape, batches, finish, partials, stream);
        }
        if constexpr (!std::is_same_v<T, int64_t>) {
            if (side == 64) return launch_tiles<T, 4>(a, b, shape, batches, finish, partials, stream);
        }
        launch_tiles<T, 2>(a, b, shape, batches, finish, partials, stream);
    });
}

}  // namespace nativegrad::cuda
