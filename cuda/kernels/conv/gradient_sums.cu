#include "kernels/conv/gradient_sums.h"

#include "device/device.h"
#include "kernels/values.h"

namespace nativegrad::cuda {

namespace {

// Warps that share the splits of 32 elements.
constexpr int join_warps = 8;

// partials [splits, size], size = rows * taps * channels -> dw [rows, channels, kH, kW] of any strides
__device__ __forceinline__ void join_splits(const float* partials, int64_t splits, int64_t size, int64_t taps,
                                            int64_t channels, int64_t kernel_columns, const TensorView& dw) {
    SharedArena arena;
    float* sums = arena.take<float>(join_warps * warp_size);
    const int64_t at = int64_t{block_index()} * warp_size + lane_index();
    float sum = 0;
    if (at < size) {
#pragma unroll 4
        for (int64_t split = warp_index(); split < splits; split += join_warps)
            sum += partials[split * size + at];
    }
    sums[thread_index()] = sum;
    block_barrier();
    if (warp_index() != 0 || at >= size) return;
    for (int i = 1; i < join_warps; ++i) sum += sums[i * warp_size + lane_index()];
    const int64_t line = at / channels, channel = at - line * channels, row = line / taps;
    const int64_t tap = line - row * taps, i = tap / kernel_columns, j = tap - i * kernel_columns;
    store_as(dw.data, dw.dtype,
             row * dw.strides[0] + channel * dw.strides[1] + i * dw.strides[2] + j * dw.strides[3], sum);
}

void launch_join(const float* partials, int64_t splits, int64_t rows, int64_t taps, int64_t channels,
                 int64_t kernel_columns, const TensorView& dw, Stream stream) {
    const int64_t size = rows * taps * channels;
    const Grid grid{blocks_for(size, warp_size), join_warps * warp_size,
                    shared_bytes<float>(join_warps * warp_size)};
    launch_batched<join_splits, unbounded>(grid, stream, partials, splits, size, taps, channels,
                                           kernel_columns, dw);
}

}  // namespace

void join_gradients(const ConvShape& shape, const float* partials, const float* sums, int64_t splits,
                    const TensorView& dw, const TensorView* db, Stream stream) {
    launch_join(partials, splits, shape.out_channels, shape.taps(), shape.group_channels(),
                shape.kernel_columns, dw, stream);
    if (sums == nullptr) return;
    TensorView column = *db;
    column.rank = 4;
    for (int axis = 1; axis < 4; ++axis) {
        column.shape[axis] = 1;
        column.strides[axis] = 0;
    }
    launch_join(sums, splits, shape.out_channels, 1, 1, 1, column, stream);
}

}  // namespace nativegrad::cuda
