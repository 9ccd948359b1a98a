// A product in tiles of 16 `each` x 16 `each`, a block of 16 x 16 lanes per tile, for any compute type.
#pragma once

#include "device/device.h"
#include "kernels/product/finish.h"
#include "kernels/product/operand.h"
#include "kernels/product/product.h"
#include "kernels/product/update_packs.h"

namespace nativegrad::cuda {

constexpr int tile_stages = 2;

template <class T, int each>
constexpr size_t tile_shared_bytes() {
    constexpr size_t tiles = 2 * shared_bytes<T>(tile_stages * 16 * each * tile_pitch<T>);
    constexpr size_t staged = shared_bytes<T>(16 * (each < 4 ? each : 4) * (16 * each + 16));
    return tiles > staged ? tiles : staged;
}

// Integers wrap.
__device__ __forceinline__ float multiply_add(float a, float b, float sum) { return fma(a, b, sum); }
__device__ __forceinline__ double multiply_add(double a, double b, double sum) { return fma(a, b, sum); }
__device__ __forceinline__ int64_t multiply_add(int64_t a, int64_t b, int64_t sum) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b) +
                                static_cast<uint64_t>(sum));
}

// Lane (y, x) owns the elements (y + 16 i, x + 16 j) of the tile.
template <class T, int each>
__device__ __forceinline__ void multiply_tiles(const T* a, const T* b, T (&sums)[each][each]) {
    constexpr int width = pack_width<T>, pitch = tile_pitch<T>;
    const T* row = a + thread_index() / 16 * pitch;
    const T* column = b + thread_index() % 16 * pitch;
#pragma unroll 2
    for (int k = 0; k < tile_depth<T>; k += width) {
        Pack<T, width> left[each];
#pragma unroll
        for (int i = 0; i < each; ++i) left[i] = load_pack<width>(row + i * 16 * pitch + k);
#pragma unroll
        for (int j = 0; j < each; ++j) {
            const Pack<T, width> right = load_pack<width>(column + j * 16 * pitch + k);
#pragma unroll
            for (int i = 0; i < each; ++i) {
#pragma unroll
                for (int q = 0; q < width; ++q) sums[i][j] = multiply_add(left[i][q], right[q], sums[i][j]);
            }
        }
    }
}

// Where a block's tile lies.
struct TilePlace {
    int64_t row, column, first, last;  // in m and n; in k
};

__device__ __forceinline__ TilePlace tile_place(const ProductShape& shape, int rows, int columns) {
    const int across = static_cast<int>((shape.n + columns - 1) / columns);
    const int64_t first = block_index_y() * shape.part_depth;
    const int64_t last = first + shape.part_depth;
    return {int64_t{block_index() / across} * rows, int64_t{block_index() % across} * columns, first,
            last < shape.k ? last : shape.k};
}

// staged [rows, pitch] -> what an update changes, in packs
template <int rows, int columns, int pitch, int threads>
__device__ __forceinline__ void update_tile(const float* staged, const ProductShape& shape,
                                            const Finish& finish, int64_t first_row, int64_t first_column) {
#pragma unroll 1
    for (int i = thread_index() * 4; i < rows * columns; i += threads * 4) {
        const int64_t row = first_row + i / columns, column = first_column + i % columns;
        if (row >= shape.m || column >= shape.n) continue;
        const Pack<float, 4> sums = load_pack<4>(staged + i / columns * pitch + i % columns);
        float values[4];
#pragma unroll
        for (int e = 0; e < 4; ++e) values[e] = rounded_to(finish.rounds, sums[e]);
        finish_update(finish, row * finish.row_stride + column, values);
    }
}

// staged [rows, pitch] -> out, or partials where the depth is divided
template <class T, int rows, int columns, int pitch, int threads>
__device__ __forceinline__ void finish_tile(const T* staged, const ProductShape& shape, T* partials,
                                            const Finish& finish, int64_t batch, int64_t offset,
                                            int64_t first_row, int64_t first_column) {
    if constexpr (std::is_same_v<T, float>) {
        if (partials == nullptr && updates_in_packs(finish, shape))
            return update_tile<rows, columns, pitch, threads>(staged, shape, finish, first_row, first_column);
    }
#pragma unroll 1
    for (int i = thread_index(); i < rows * columns; i += threads) {
        const int64_t row = first_row + i / columns, column = first_column + i % columns;
        if (row >= shape.m || column >= shape.n) continue;
        const T value = staged[i / columns * pitch + i % columns];
        if (partials != nullptr) {
            const int64_t product = block_index_y() * shape.batches + batch;
            partials[(product * shape.m + row) * shape.n + column] = value;
        } else {
            finish_element(finish, batch, offset, row, column, value);
        }
    }
}

// a [batches; M, K], b [batches; K, N] -> finish [batches; M, N], or partials [parts, batches, M, N];
// blocks (tiles, parts, batches)
template <class T, int each, class Left, class Right>
__device__ __forceinline__ void tile_product(const Left& a, const Right& b, const ProductShape& shape,
                                             const StridedAxes<3>& batches, const Finish& finish,
                                             T* partials) {
    constexpr int side = 16 * each, stage = side * tile_pitch<T>;
    constexpr int staged_lanes = each < 4 ? each : 4, staged_pitch = side + 16;
    SharedArena arena;
    const size_t start = arena.mark();
    T* tiles_a = arena.take<T>(tile_stages * stage);
    T* tiles_b = arena.take<T>(tile_stages * stage);
    arena.rewind(start);
    T* staged = arena.take<T>(16 * staged_lanes * staged_pitch);
    const TilePlace place = tile_place(shape, side, side);
    const int steps = static_cast<int>((place.last - place.first + tile_depth<T> - 1) / tile_depth<T>);
    // In larger tiles the multiplications take longer, and registers are short.
    if constexpr (std::is_same_v<T, float> && each == 2) {
        if (partials == nullptr && updates_in_packs(finish, shape))
            prefetch_update<side>(finish, shape, place.row, place.column);
    }
    // Not block_count_z(), which counts those of all models.
    const int64_t planes = batch_planes(shape);
    for (int64_t batch = block_index_z() % planes; batch < shape.batches; batch += planes) {
        const Offsets<3> at = locate(batches, batch);
        const auto load = [&](int step) {
            const int64_t k = place.first + int64_t{step} * tile_depth<T>;
            load_tile<T, side>(tiles_a + step % tile_stages * stage, a, at.of[1], place.row, k);
            load_tile<T, side>(tiles_b + step % tile_stages * stage, b, at.of[2], place.column, k);
        };
        T sums[each][each];
#pragma unroll
        for (int i = 0; i < each; ++i) {
#pragma unroll
            for (int j = 0; j < each; ++j) sums[i][j] = T(0);
        }
        if (steps > 0) load(0);
        async_copy_commit();
#pragma unroll 1
        for (int step = 0; step < steps; ++step) {
            async_copy_wait<0>();
            block_barrier();
            if (step + 1 < steps) load(step + 1);
            async_copy_commit();
            multiply_tiles<T, each>(tiles_a + step % tile_stages * stage,
                                    tiles_b + step % tile_stages * stage, sums);
        }
#pragma unroll
        for (int half = 0; half < each; half += staged_lanes) {
            block_barrier();
#pragma unroll
            for (int i = 0; i < staged_lanes; ++i) {
#pragma unroll
                for (int j = 0; j < each; ++j)
                    staged[(thread_index() / 16 + 16 * i) * staged_pitch + thread_index() % 16 + 16 * j] =
                        sums[half + i][j];
            }
            block_barrier();
            finish_tile<T, 16 * staged_lanes, side, staged_pitch, tile_threads>(
                staged, shape, partials, finish, batch, at.of[0], place.row + 16 * half, place.column);
        }
        block_barrier();
    }
}

// Blocks for tiles of rows x columns.
inline Grid product_grid(const ProductShape& shape, int rows, int columns, int threads, size_t bytes) {
    const int64_t tiles = (shape.m + rows - 1) / rows * ((shape.n + columns - 1) / columns);
    return {{tiles, shape.parts, batch_planes(shape)}, threads, bytes};
}

template <class T, int each, class Left, class Right>
void launch_tiles(const Left& a, const Right& b, const ProductShape& shape, const StridedAxes<3>& batches,
                  const Finish& finish, T* partials, Stream stream) {
    launch_batched<tile_product<T, each, Left, Right>, tile_threads, each * sizeof(T) <= 16 ? 2 : 1>(
        product_grid(shape, 16 * each, 16 * each, tile_threads, tile_shared_bytes<T, each>()), stream, a, b,
        shape, batches, finish, partials);
}

}  // namespace nativegrad::cuda
