// The gradient of a convolution's weight on tensor cores: a block sums 64 output channels x 32 input channels
// x 9 taps in registers over its share of the pixels; every tile's patch of x comes to shared memory once for
// all of these taps.
#pragma once

#include "kernels/conv/patch.h"

namespace nativegrad::cuda {

struct PatchGradient {
    PatchGeometry geometry;  // of x
    const void* dy;          // [pixels, groups * rows], the pixels row_stride elements apart
    int64_t dy_row, image_group;
    int32_t rows, row_blocks, channel_blocks, tap_blocks;  // rows: output channels of a group
    int32_t patch_places;
    float* partials;     // [splits, groups, rows, taps, channels]
    float* column_sums;  // of dy, [splits, groups * rows], or null
};

constexpr int gradient_pixels = 128, gradient_rows = 64, gradient_taps = 9;
constexpr int gradient_threads = 256, gradient_pitch = gradient_rows + 8;
constexpr int gradient_stage = gradient_pixels * gradient_pitch;

template <class Half>
inline size_t patch_gradient_bytes(int64_t places) {
    return shared_bytes<Half>(patch_stages * gradient_stage) +
           shared_bytes<Half>(static_cast<size_t>(patch_stages * places * patch_pitch)) +
           shared_bytes<int>(patch_stages * gradient_pixels);
}

// dy from (pixel, row) -> tile [gradient_pixels, gradient_pitch]; zeros outside
template <class Half>
__device__ __forceinline__ void load_rows(Half* tile, const PatchGradient& gradient, const Half* dy,
                                          int first_pixel, int first_row) {
    constexpr int chunks = gradient_rows / 8;
#pragma unroll
    for (int i = thread_index(); i < gradient_pixels * chunks; i += gradient_threads) {
        const int pixel = first_pixel + i / chunks, row = first_row + i % chunks * 8;
        const bool valid = pixel < gradient.geometry.pixels && row < gradient.rows;
        async_copy_or_zero<16>(tile + i / chunks * gradient_pitch + i % chunks * 8,
                               valid ? dy + pixel * gradient.dy_row + row : dy, valid);
    }
}

// Which of the block's 9 taps a warp's lanes read: five pairs, the first 16 lanes one and the others its
// neighbour; in halves from the pixel's own place.
struct TapPairs {
    int offset[5];

    __device__ __forceinline__ TapPairs(const PatchGeometry& geometry, int first_tap) {
#pragma unroll
        for (int pair = 0; pair < 5; ++pair) {
            int tap = first_tap + 2 * pair + lane_index() / 16;
            if (2 * pair + lane_index() / 16 >= gradient_taps || tap >= geometry.taps()) tap = first_tap;
            const int row = tap / geometry.kernel_columns, column = tap - row * geometry.kernel_columns;
            offset[pair] =
                (geometry.first_tap + row * geometry.row_step + column * geometry.column_step) * patch_pitch;
        }
    }
};

// sums [32 rows, taps of 8 channels] of a warp += dy^T patch; with_ones: row_sums += dy^T 1
template <class Half>
__device__ __forceinline__ void multiply_gradient(const Half* rows, const Half* patch, const int* places,
                                                  const TapPairs& pairs, int taps,
                                                  FragmentC (&sums)[2][gradient_taps], bool with_ones,
                                                  FragmentC (&row_sums)[2]) {
    const int lane = lane_index();
    const uint32_t ones = pack_pair(from_float<Half>(1.0f), from_float<Half>(1.0f));
    const Half* left = rows + (lane / 16 * 8 + lane % 8) * gradient_pitch + lane / 8 % 2 * 8;
#pragma unroll 1
    for (int k = 0; k < gradient_pixels; k += 16) {
        FragmentA a[2];
        load_matrices<4, true>(a[0].r, left + k * gradient_pitch);
        load_matrices<4, true>(a[1].r, left + k * gradient_pitch + 16);
        if (with_ones) {
            multiply_fragments<Half>(row_sums[0], a[0], {{ones, ones}});
            multiply_fragments<Half>(row_sums[1], a[1], {{ones, ones}});
        }
        const Half* right = patch + places[k + lane % 16];
#pragma unroll
        for (int pair = 0; pair < 5; ++pair) {
            if (2 * pair >= taps) break;
            uint32_t r[4];
            load_matrices<4, true>(r, right + pairs.offset[pair]);
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int tap = 2 * pair + half;
                if (tap >= gradient_taps) break;
                const FragmentB b{{r[2 * half], r[2 * half + 1]}};
                multiply_fragments<Half>(sums[0][tap], a[0], b);
                multiply_fragments<Half>(sums[1][tap], a[1], b);
            }
        }
    }
}

// x, dy -> partials [splits, groups, rows, taps, channels]; blocks (splits, blocks of rows, channels, taps
// and groups)
template <class Half>
__device__ __forceinline__ void patch_gradient(const PatchGradient& gradient) {
    const PatchGeometry& geometry = gradient.geometry;
    int rest = block_index_y();
    const int first_tap = rest % gradient.tap_blocks * gradient_taps;
    rest /= gradient.tap_blocks;
    const int first_channel = rest % gradient.channel_blocks * patch_channels;
    rest /= gradient.channel_blocks;
    const int first_row = rest % gradient.row_blocks * gradient_rows, group = rest / gradient.row_blocks;
    SharedArena arena;
    Half* tiles = arena.take<Half>(patch_stages * gradient_stage);
    const int patch_size = gradient.patch_places * patch_pitch;
    Half* patches = arena.take<Half>(static_cast<size_t>(patch_stages * patch_size));
    int* places = arena.take<int>(patch_stages * gradient_pixels);
    const Half* image = static_cast<const Half*>(geometry.image) + group * gradient.image_group;
    const Half* dy = static_cast<const Half*>(gradient.dy) + int64_t{group} * gradient.rows;
    const int tiles_all = (geometry.pixels + gradient_pixels - 1) / gradient_pixels;
    const auto load = [&](int tile, int stage) {
        const int pixel = tile * gradient_pixels;
        const PatchPlaces read = places_of(geometry, pixel, gradient_pixels);
        load_rows(tiles + stage * gradient_stage, gradient, dy, pixel, first_row);
        load_patch<gradient_threads>(patches + stage * patch_size, geometry, image, read, first_channel);
        if (thread_index() < gradient_pixels)
            places[stage * gradient_pixels + thread_index()] =
                (geometry.place_of(geometry.clamp(pixel + thread_index())) - read.first) * patch_pitch;
    };
    const int warp_row = warp_index() % 2 * 32, warp_channel = warp_index() / 2 * 8;
    const TapPairs pairs(geometry, first_tap);
    const int taps =
        geometry.taps() - first_tap < gradient_taps ? geometry.taps() - first_tap : gradient_taps;
    const bool with_ones =
        gradient.column_sums != nullptr && warp_channel == 0 && first_channel == 0 && first_tap == 0;
    FragmentC sums[2][gradient_taps], row_sums[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        row_sums[i] = {{0.0f, 0.0f, 0.0f, 0.0f}};
#pragma unroll
        for (int tap = 0; tap < gradient_taps; ++tap) sums[i][tap] = {{0.0f, 0.0f, 0.0f, 0.0f}};
    }
    int stage = 0;
    load(block_index(), 0);
    async_copy_commit();
#pragma unroll 1
    for (int tile = block_index(); tile < tiles_all; tile += block_count()) {
        async_copy_wait<0>();
        block_barrier();
        if (tile + block_count() < tiles_all) load(tile + block_count(), stage ^ 1);
        async_copy_commit();
        multiply_gradient<Half>(tiles + stage * gradient_stage + warp_row,
                                patches + stage * patch_size + warp_channel, places + stage * gradient_pixels,
                                pairs, taps, sums, with_ones, row_sums);
        stage ^= 1;
    }
    const int64_t lines = int64_t{gradient.rows} * geometry.taps();
    const int64_t groups =
        block_count_y() / (gradient.row_blocks * gradient.channel_blocks * gradient.tap_blocks);
    float* to = gradient.partials + (block_index() * groups + group) * lines * geometry.channels;
    const int channel = first_channel + warp_channel + lane_index() % 4 * 2;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int row = first_row + warp_row + i * 8 + lane_index() / 4;
#pragma unroll
        for (int tap = 0; tap < gradient_taps; ++tap) {
            if (tap >= taps || row >= gradient.rows || channel >= geometry.channels) continue;
            Pack<float, 2> pair;
            pair[0] = sums[i / 2][tap].v[i % 2 * 2];
            pair[1] = sums[i / 2][tap].v[i % 2 * 2 + 1];
            store_pack(to + (int64_t{row} * geometry.taps() + first_tap + tap) * geometry.channels + channel,
                       pair);
        }
        // Every column of a product with ones is the sum.
        if (with_ones && lane_index() % 4 == 0 && row < gradient.rows)
            gradient.column_sums[(block_index() * groups + group) * gradient.rows + row] =
                row_sums[i / 2].v[i % 2 * 2];
    }
}

}  // namespace nativegrad::cuda
