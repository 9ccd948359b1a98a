// Mean and squares of every channel: those of parts of the pixels, around their own mean, joined in their
// order (Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
// 1979).
#include "kernels/conv/moments.h"

#include "device/device.h"
#include "kernels/values.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// A block takes 32 channels, each of its 8 warps every eighth pixel.
constexpr int row_lanes = 8, threads = row_lanes * warp_size;

// The sum of the 8 lanes of a channel, for all of them.
template <class T>
__device__ __forceinline__ T channel_sum(T value, T* sums) {
    sums[thread_index()] = value;
    block_barrier();
    T sum = sums[lane_index()];
    for (int i = 1; i < row_lanes; ++i) sum += sums[i * warp_size + lane_index()];
    block_barrier();
    return sum;
}

// y [pixels, n] -> partials [parts, 2, n]: mean and squares of each part; blocks (channels / 32, parts)
template <class T>
__global__ void part_moments(Source y, int64_t pixels, int64_t n, int64_t part_rows, T* partials) {
    SharedArena arena;
    T* sums = arena.take<T>(threads);
    const int64_t channel = int64_t{block_index()} * warp_size + lane_index();
    const int64_t first = block_index_y() * part_rows, left = pixels - first;
    const int64_t count = channel >= n ? 0 : left < part_rows ? left : part_rows;
    T sum = T(0), squares = T(0);
    for (int64_t i = warp_index(); i < count; i += row_lanes) sum += load_as<T>(y, (first + i) * n + channel);
    const T mean = channel_sum(sum, sums) / static_cast<T>(count > 0 ? count : 1);
    for (int64_t i = warp_index(); i < count; i += row_lanes) {
        const T distance = load_as<T>(y, (first + i) * n + channel) - mean;
        squares = fma(distance, distance, squares);
    }
    squares = channel_sum(squares, sums);
    if (warp_index() != 0 || channel >= n) return;
    partials[2 * block_index_y() * n + channel] = mean;
    partials[(2 * block_index_y() + 1) * n + channel] = squares;
}

// partials [parts, 2, n] -> mean [n], squares [n]
template <class T>
__global__ void join_moments(const T* partials, int64_t parts, int64_t part_rows, int64_t pixels, int64_t n,
                             TensorView mean, TensorView squares) {
    for (int64_t channel = grid_thread_index(); channel < n; channel += grid_thread_count()) {
        double middle = 0, sum = 0, seen = 0;
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t left = pixels - part * part_rows;
            const double added = static_cast<double>(left < part_rows ? left : part_rows), all = seen + added;
            const double distance = static_cast<double>(partials[2 * part * n + channel]) - middle;
            middle += distance * (added / all);
            sum += static_cast<double>(partials[(2 * part + 1) * n + channel]) +
                   distance * distance * (seen * (added / all));
            seen = all;
        }
        store_as(mean.data, mean.dtype, channel * mean.strides[0], middle);
        store_as(squares.data, squares.dtype, channel * squares.strides[0], sum);
    }
}

}  // namespace

void channel_moments(const TensorView& y, const TensorView& mean, const TensorView& squares, Queue& queue) {
    const int64_t n = y.shape[1], pixels = n > 0 ? element_count(y) / n : 0;
    if (n == 0) return;
    constexpr int64_t least_rows = 256, most_parts = 1024;
    const int64_t spread = (pixels + most_parts - 1) / most_parts;
    const int64_t part_rows = spread < least_rows ? least_rows : spread;
    const int64_t parts = (pixels + part_rows - 1) / part_rows;
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const Scratch partials(queue, static_cast<size_t>(2 * parts * n + 1) * sizeof(T));
        if (parts > 0) {
            const Grid grid{{blocks_for(n, warp_size), parts}, threads, shared_bytes<T>(threads)};
            launch<part_moments<T>>(grid, queue.stream(), source_of(y), pixels, n, part_rows,
                                    partials.as<T>());
        }
        launch<join_moments<T>>(Grid{blocks_for(n, 128), 128}, queue.stream(), partials.as<T>(), parts,
                                part_rows, pixels, n, mean, squares);
    });
}

}  // namespace nativegrad::cuda
