#include "kernels/product/split_choice.h"

#include <algorithm>

#include "kernels/product/split_product.h"
#include "kernels/product/tile_choice.h"

namespace nativegrad::cuda {

namespace {

// An H100: multiprocessors, and bytes a clock that one of them gets from the second-level cache when few ask,
// and that all get together.
constexpr int64_t processors = 132;
constexpr double bytes_of_one = 48, bytes_of_all = 3200;
// Clocks to start and to finish a tile, and elements finished a clock.
constexpr double tile_clocks = 800, finished_a_clock = 6;

double clocks(const ProductShape& shape, int side, double item) {
    const int64_t tiles = tiles_of(shape.m, shape.n, shape.batches, side, side);
    const double bytes = 2.0 * side * static_cast<double>(shape.k) * item;
    const auto rounds = static_cast<double>((tiles + processors - 1) / processors);
    const double each = bytes / bytes_of_one + side * side / finished_a_clock + tile_clocks;
    return std::max(rounds * each, static_cast<double>(tiles) * bytes / bytes_of_all);
}

}  // namespace

int split_side(const ProductShape& shape, DType dtype) {
    constexpr int64_t most_depth = 2048, most_blocks = 264;
    const int64_t small = tiles_of(shape.m, shape.n, shape.batches, 32, 32);
    const int64_t large = tiles_of(shape.m, shape.n, shape.batches, 64, 64);
    // Deep ones of few tiles are worth a second launch for their parts.
    if (shape.k > most_depth && small < blocks_wanted) return 0;
    if (dtype == DType::float32) return small < most_blocks / 2 ? 32 : 0;
    if (large >= most_blocks) return 0;
    return clocks(shape, 32, 2) <= clocks(shape, 64, 2) ? 32 : 64;
}

int64_t split_bytes(int side, DType dtype) {
    const size_t bytes = dtype == DType::float32 ? split_shared_bytes<float, 32>()
                         : side == 32            ? split_shared_bytes<Float16, 32>()
                                                 : split_shared_bytes<Float16, 64>();
    return static_cast<int64_t>(bytes);
}

}  // namespace nativegrad::cuda
