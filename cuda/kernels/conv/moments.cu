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

// y [pixels, n] -> partials [parts, 3, n]: count, mean and squares of each part; blocks (channels / 32,
// parts)
template <class T>
__device__ __forceinline__ void part_moments(const Source& y, int64_t pixels, int64_t n, int64_t part_rows,
                                             T* partials) {
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
    T* to = partials + int64_t{3} * block_index_y() * n + channel;
    to[0] = static_cast<T>(count);
    to[n] = mean;
    to[2 * n] = squares;
}

// Count, mean and squares around it of some pixels.
struct Moments {
    double count, mean, squares;
};

__device__ __forceinline__ Moments joined(const Moments& a, const Moments& b) {
    const double count = a.count + b.count, share = count > 0 ? b.count / count : 0;
    const double distance = b.mean - a.mean;
    return {count, a.mean + distance * share,
            a.squares + b.squares + distance * distance * (a.count * share)};
}

constexpr int join_threads = 128;

// partials [parts, 3, n] -> mean [n], squares [n]; a block per channel
template <class T>
__device__ __forceinline__ void join_parts_of_channel(const T* partials, int64_t parts, int64_t n,
                                                      const TensorView& mean, const TensorView& squares) {
    SharedArena arena;
    Moments* all = arena.take<Moments>(join_threads);
    const int64_t channel = block_index();
    Moments sum{0, 0, 0};
    // Lanes take neighbouring parts: the order is that of the parts.
    const int64_t each = (parts + join_threads - 1) / join_threads, first = thread_index() * each;
    for (int64_t part = first; part < (first + each < parts ? first + each : parts); ++part) {
        const T* from = partials + 3 * part * n + channel;
        sum = joined(sum, {static_cast<double>(from[0]), static_cast<double>(from[n]),
                           static_cast<double>(from[2 * n])});
    }
    all[thread_index()] = sum;
    for (int step = 1; step < join_threads; step *= 2) {
        block_barrier();
        if (thread_index() % (2 * step) == 0)
            all[thread_index()] = joined(all[thread_index()], all[thread_index() + step]);
    }
    if (thread_index() != 0) return;
    store_as(mean.data, mean.dtype, channel * mean.strides[0], all[0].mean);
    store_as(squares.data, squares.dtype, channel * squares.strides[0], all[0].squares);
}

}  // namespace

template <class T>
void join_moments(const T* partials, int64_t parts, const TensorView& mean, const TensorView& squares,
                  Stream stream) {
    const Grid grid{mean.shape[0], join_threads, shared_bytes<Moments>(join_threads)};
    launch_batched<join_parts_of_channel<T>, unbounded>(grid, stream, partials, parts, mean.shape[0], mean,
                                                        squares);
}

template void join_moments(const float*, int64_t, const TensorView&, const TensorView&, Stream);
template void join_moments(const double*, int64_t, const TensorView&, const TensorView&, Stream);

void channel_moments(const TensorView& y, const TensorView& mean, const TensorView& squares, Queue& queue) {
    const int64_t n = y.shape[1], pixels = n > 0 ? element_count(y) / n : 0;
    if (n == 0) return;
    constexpr int64_t least_rows = 256, most_parts = 1024;
    const int64_t spread = (pixels + most_parts - 1) / most_parts;
    const int64_t part_rows = spread < least_rows ? least_rows : spread;
    const int64_t parts = (pixels + part_rows - 1) / part_rows;
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const Scratch partials(queue, static_cast<size_t>(3 * parts * n + 1) * sizeof(T));
        if (parts > 0) {
            const Grid grid{{blocks_for(n, warp_size), parts}, threads, shared_bytes<T>(threads)};
            launch_batched<part_moments<T>, unbounded>(grid, queue.stream(), source_of(y), pixels, n,
                                                       part_rows, partials.as<T>());
        }
        join_moments(partials.as<T>(), parts, mean, squares, queue.stream());
    });
}

}  // namespace nativegrad::cuda
