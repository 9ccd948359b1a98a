// A convolution of two-byte floats on tensor cores, with sums in float. The weights of a block's channels
// stay in shared memory while it walks over tiles of pixels; of the image, the patch under a tile comes once
// for all taps, the next one while this one is multiplied.
#pragma once

#include "kernels/conv/patch.h"
#include "kernels/product/finish.h"

namespace nativegrad::cuda {

struct PatchProduct {
    PatchGeometry geometry;
    const void* weights;  // [groups, columns, taps, channels]
    int32_t columns, column_blocks, chunks, patch_places;
    int64_t image_group;  // elements from one group's channels to the next's
    Finish finish;        // of [pixels, groups * columns]
    float* moments;       // [parts, 3, groups * columns], or null
};

// Pixels and channels of a block's tile: warps of 16 m_parts x 32.
template <int warps_m, int warps_n, int m_parts>
struct PatchTile {
    static constexpr int rows = warps_m * m_parts * 16, columns = warps_n * 32;
    static constexpr int threads = warps_m * warps_n * warp_size;
};

template <class Half>
inline size_t patch_product_bytes(int64_t taps, int64_t chunks, int64_t columns, int64_t places) {
    return shared_bytes<Half>(static_cast<size_t>(taps * chunks * columns * patch_pitch)) +
           shared_bytes<Half>(static_cast<size_t>(patch_stages * places * patch_pitch));
}

// weights of `columns` channels from first_column -> kept [taps, chunks, columns, patch_pitch]
template <int columns, int threads, class Half>
__device__ __forceinline__ void load_weights(Half* kept, const PatchProduct& product, const Half* weights,
                                             int first_column) {
    const int taps = product.geometry.taps(), channels = product.geometry.channels;
    const int pieces = product.chunks * (patch_channels / 8);
    for (int i = thread_index(); i < taps * columns * pieces; i += threads) {
        const int line = i / pieces, channel = i % pieces * 8, tap = line % taps, column = line / taps;
        const bool valid = first_column + column < product.columns && channel < channels;
        const int64_t from = (int64_t{first_column + column} * taps + tap) * channels + channel;
        Half* to = kept +
                   ((tap * product.chunks + channel / patch_channels) * columns + column) * patch_pitch +
                   channel % patch_channels;
        async_copy_or_zero<16>(to, valid ? weights + from : weights, valid);
    }
}

// sums of a warp += a patch times the weights of its channels; places: of the lane's rows, in halves
template <class Half, int columns, int m_parts>
__device__ __forceinline__ void multiply_patch(const Half* patch, const Half* kept,
                                               const PatchProduct& product, const int (&places)[m_parts],
                                               FragmentC (&sums)[m_parts][4]) {
    const PatchGeometry& geometry = product.geometry;
    const int lane = lane_index();
    const Half* right = kept + (lane / 16 * 8 + lane % 8) * patch_pitch + lane / 8 % 2 * 8;
    const int next_tap = product.chunks * columns * patch_pitch;
#pragma unroll 1
    for (int row = 0; row < geometry.kernel_rows; ++row) {
        const Half* left = patch + (geometry.first_tap + row * geometry.row_step) * patch_pitch;
#pragma unroll 1
        for (int column = 0; column < geometry.kernel_columns; ++column) {
#pragma unroll
            for (int k = 0; k < patch_channels; k += 16) {
                FragmentB b[4];
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    uint32_t r[4];
                    load_matrices<4>(r, right + j * 16 * patch_pitch + k);
                    b[2 * j] = {{r[0], r[1]}};
                    b[2 * j + 1] = {{r[2], r[3]}};
                }
#pragma unroll
                for (int i = 0; i < m_parts; ++i) {
                    FragmentA a;
                    load_matrices<4>(a.r, left + places[i] + k);
#pragma unroll
                    for (int j = 0; j < 4; ++j) multiply_fragments<Half>(sums[i][j], a, b[j]);
                }
            }
            left += geometry.column_step * patch_pitch;
            right += next_tap;
        }
    }
}

// Mean and squares around it of what a lane's columns had so far.
struct RunningMoments {
    float count = 0, mean[8] = {}, squares[8] = {};
};

// The sum over the rows of a warp's tile, for the lanes of a column.
__device__ __forceinline__ float sum_of_rows(float value) {
#pragma unroll
    for (int step = 4; step < warp_size; step *= 2) value += shuffle_xor(value, step);
    return value;
}

// Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979)
template <int m_parts>
__device__ __forceinline__ void add_moments(RunningMoments& moments, const FragmentC (&sums)[m_parts][4],
                                            int valid_rows) {
    const int g = lane_index() / 4;
    const float count = static_cast<float>(valid_rows), all = moments.count + count;
#pragma unroll
    for (int c = 0; c < 8; ++c) {
        float sum = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < 2 * m_parts; ++i) {
            if (i * 8 + g < valid_rows) sum += sums[i / 2][c / 2].v[i % 2 * 2 + c % 2];
        }
        const float mean = sum_of_rows(sum) / count;
#pragma unroll
        for (int i = 0; i < 2 * m_parts; ++i) {
            const float distance = sums[i / 2][c / 2].v[i % 2 * 2 + c % 2] - mean;
            if (i * 8 + g < valid_rows) squares = fma(distance, distance, squares);
        }
        const float apart = mean - moments.mean[c];
        moments.mean[c] += apart * (count / all);
        moments.squares[c] += sum_of_rows(squares) + apart * apart * (moments.count * (count / all));
    }
    moments.count = all;
}

// A lane's columns of a warp's tile: two of each eight.
__device__ __forceinline__ int lane_column(int first, int c) {
    return first + c / 2 * 8 + lane_index() % 4 * 2 + c % 2;
}

__device__ __forceinline__ void store_moments(const RunningMoments& moments, float* partials, int64_t stride,
                                              int first_column, int columns, int64_t offset) {
    if (lane_index() >= 4) return;
#pragma unroll
    for (int c = 0; c < 8; ++c) {
        const int column = lane_column(first_column, c);
        if (column >= columns) continue;
        partials[offset + column] = moments.count;
        partials[stride + offset + column] = moments.mean[c];
        partials[2 * stride + offset + column] = moments.squares[c];
    }
}

// sums + bias, as numbers of the output's dtype
template <class Half, int m_parts>
__device__ __forceinline__ void add_bias(FragmentC (&sums)[m_parts][4], const float (&bias)[8]) {
#pragma unroll
    for (int i = 0; i < m_parts; ++i) {
#pragma unroll
        for (int q = 0; q < 16; ++q) {
            float& value = sums[i][q / 4].v[q % 4];
            value = as_float(from_float<Half>(value + bias[q / 4 * 2 + q % 2]));
        }
    }
}

// A row's eight neighbouring columns, finished.
template <class Half>
__device__ __forceinline__ void store_eight(const Finish& finish, int64_t at, const uint32_t (&r)[4]) {
    Pack<Half, 8> pack;
    memcpy(&pack, r, sizeof pack);
    if (finish.kind == FinishKind::relu) {
#pragma unroll
        for (int i = 0; i < 8; ++i) pack[i] = as_float(pack[i]) <= 0.0f ? from_float<Half>(0.0f) : pack[i];
    } else if (finish.kind == FinishKind::relu_backward) {
        const Pack<Half, 8> other = load_pack<8>(static_cast<const Half*>(finish.other) + at);
#pragma unroll
        for (int i = 0; i < 8; ++i) pack[i] = as_float(other[i]) <= 0.0f ? from_float<Half>(0.0f) : pack[i];
    }
    store_pack(static_cast<Half*>(finish.out) + at, pack);
}

template <class Half, int m_parts>
__device__ __forceinline__ void store_tile(const Finish& finish, const FragmentC (&sums)[m_parts][4],
                                           int first_row, int valid_rows, int column, bool valid,
                                           int64_t offset) {
#pragma unroll
    for (int i = 0; i < 2 * m_parts; ++i) {
        uint32_t r[4];
#pragma unroll
        for (int j = 0; j < 4; ++j)
            r[j] = pack_pair(from_float<Half>(sums[i / 2][j].v[i % 2 * 2]),
                             from_float<Half>(sums[i / 2][j].v[i % 2 * 2 + 1]));
        turn_quad(r);
        const int row = i * 8 + lane_index() / 4;
        if (row < valid_rows && valid)
            store_eight<Half>(finish, (first_row + row) * finish.row_stride + offset + column, r);
    }
}

// image [pixels; taps, channels] times weights [groups, columns, taps, channels] -> finish [pixels, groups *
// columns]; blocks (walkers over tiles, column blocks of groups)
template <class Half, int warps_m, int warps_n, int m_parts>
__device__ __forceinline__ void patch_product(const PatchProduct& product) {
    using Tile = PatchTile<warps_m, warps_n, m_parts>;
    constexpr int warp_rows = m_parts * 16;
    const PatchGeometry& geometry = product.geometry;
    const int group = block_index_y() / product.column_blocks;
    const int first_column = block_index_y() % product.column_blocks * Tile::columns;
    SharedArena arena;
    Half* kept =
        arena.take<Half>(static_cast<size_t>(geometry.taps() * product.chunks * Tile::columns * patch_pitch));
    Half* patches = arena.take<Half>(static_cast<size_t>(patch_stages * product.patch_places * patch_pitch));
    const Half* image = static_cast<const Half*>(geometry.image) + group * product.image_group;
    const int64_t group_offset = int64_t{group} * product.columns;
    load_weights<Tile::columns, Tile::threads>(
        kept, product,
        static_cast<const Half*>(product.weights) + group_offset * geometry.taps() * geometry.channels,
        first_column);
    const int warp_row = warp_index() / warps_n * warp_rows, warp_column = warp_index() % warps_n * 32;
    float bias[8];
#pragma unroll
    for (int c = 0; c < 8; ++c) {
        const int column = lane_column(first_column + warp_column, c);
        bias[c] = 0;
        if (product.finish.has_bias && column < product.columns)
            bias[c] =
                load_as<float>(product.finish.bias, (group_offset + column) * product.finish.bias_stride);
    }
    const auto load = [&](int tile, int chunk, int stage) {
        load_patch<Tile::threads>(patches + stage * product.patch_places * patch_pitch, geometry, image,
                                  places_of(geometry, tile * Tile::rows, Tile::rows), chunk * patch_channels);
    };
    const int tiles = (geometry.pixels + Tile::rows - 1) / Tile::rows;
    RunningMoments moments;
    int stage = 0;
    load(block_index(), 0, 0);
    async_copy_commit();
#pragma unroll 1
    for (int tile = block_index(); tile < tiles; tile += block_count()) {
        const int first_place = geometry.place_of(tile * Tile::rows),
                  first_row = tile * Tile::rows + warp_row;
        int places[m_parts];
        FragmentC sums[m_parts][4];
#pragma unroll
        for (int i = 0; i < m_parts; ++i) {
            const int pixel = geometry.clamp(first_row + i * 16 + lane_index() % 16);
            places[i] = (geometry.place_of(pixel) - first_place) * patch_pitch + lane_index() / 16 * 8;
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[i][j] = {{0.0f, 0.0f, 0.0f, 0.0f}};
        }
#pragma unroll 1
        for (int chunk = 0; chunk < product.chunks; ++chunk) {
            async_copy_wait<0>();
            block_barrier();
            const bool within = chunk + 1 < product.chunks;
            const int next = within ? tile : tile + block_count();
            if (next < tiles) load(next, within ? chunk + 1 : 0, stage ^ 1);
            async_copy_commit();
            multiply_patch<Half, Tile::columns>(patches + stage * product.patch_places * patch_pitch,
                                                kept + (chunk * Tile::columns + warp_column) * patch_pitch,
                                                product, places, sums);
            stage ^= 1;
        }
        const int left = geometry.pixels - first_row, column = first_column + warp_column;
        const int valid_rows = left < 0 ? 0 : left < warp_rows ? left : warp_rows;
        add_bias<Half>(sums, bias);
        if (product.moments != nullptr && valid_rows > 0) add_moments(moments, sums, valid_rows);
        const int eight = column + lane_index() % 4 * 8;
        store_tile<Half>(product.finish, sums, first_row, valid_rows, eight, eight < product.columns,
                         group_offset);
    }
    if (product.moments == nullptr) return;
    const int64_t channels = int64_t{product.columns} * block_count_y() / product.column_blocks;
    const int64_t part = int64_t{block_index()} * warps_m + warp_index() / warps_n;
    store_moments(moments, product.moments + part * 3 * channels, channels, first_column + warp_column,
                  product.columns, group_offset);
}

}  // namespace nativegrad::cuda
