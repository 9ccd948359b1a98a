// A product of two-byte floats on tensor cores, with sums in float: tiles of 64 x 64, four warps of 32 x 32.
#pragma once

#include "kernels/product/fragments.h"
#include "kernels/product/tile_product.h"

namespace nativegrad::cuda {

constexpr int half_side = 64, half_depth = 32, half_threads = 128, half_stages = 3;
// A tile is [64 rows, half_depth] or [half_depth, 64 rows], lines a multiple of 16 bytes apart by an odd
// number: ldmatrix meets no bank twice.
constexpr int depth_pitch = half_depth + 8, row_pitch = half_side + 8;
constexpr int half_tile = half_side * depth_pitch;
constexpr int half_staged_pitch = half_side + 8;
static_assert(half_tile >= half_depth * row_pitch, "either layout fits");

template <class Half>
constexpr size_t half_shared_bytes() {
    constexpr size_t tiles = 2 * shared_bytes<Half>(half_stages * half_tile);
    constexpr size_t staged = shared_bytes<float>(half_side * half_staged_pitch);
    return tiles > staged ? tiles : staged;
}

// x from (first_row, first_depth) -> tile; zeros outside of x
template <bool by_row, class Half, class Operand>
__device__ __forceinline__ void load_half_tile(Half* tile, const Operand& x, int64_t offset,
                                               int64_t first_row, int64_t first_depth) {
    const Half* data = static_cast<const Half*>(x.data) + offset;
    constexpr int chunks = by_row ? half_side / 8 : half_depth / 8;
    if (by_row || x.access == Access::depth_chunks) {
        for (int i = thread_index(); i < half_side * half_depth / 8; i += half_threads) {
            const int line = i / chunks, part = i % chunks * 8;
            const Place place = by_row ? x.at(first_row + part, first_depth + line)
                                       : x.at(first_row + line, first_depth + part);
            async_copy_or_zero<16>(tile + line * (by_row ? row_pitch : depth_pitch) + part,
                                   place.valid ? data + place.offset : data, place.valid);
        }
        return;
    }
    const bool along = x.runs_along_depth();
#pragma unroll 1
    for (int i = thread_index(); i < half_side * half_depth; i += half_threads) {
        const int row = along ? i / half_depth : i % half_side;
        const int k = along ? i % half_depth : i / half_side;
        const Place place = x.at(first_row + row, first_depth + k);
        tile[row * depth_pitch + k] = place.valid ? data[place.offset] : from_float<Half>(0.0f);
    }
}

// The 16 x 16 matrix at (row, k) of a tile of the left factor.
template <bool by_row, class Half>
__device__ __forceinline__ FragmentA left_fragment(const Half* tile, int row, int k) {
    const int lane = lane_index();
    FragmentA a;
    if constexpr (by_row)
        load_matrices<4, true>(a.r,
                               tile + (k + lane / 16 * 8 + lane % 8) * row_pitch + row + lane / 8 % 2 * 8);
    else
        load_matrices<4, false>(a.r, tile + (row + lane % 16) * depth_pitch + k + lane / 16 * 8);
    return a;
}

// Two 16 x 8 matrices at (k, column) and (k, column + 8) of a tile of the right factor.
template <bool by_row, class Half>
__device__ __forceinline__ void right_fragments(const Half* tile, int column, int k, FragmentB* b) {
    const int lane = lane_index();
    uint32_t r[4];
    if constexpr (by_row) {
        load_matrices<4, true>(r,
                               tile + (k + lane / 8 % 2 * 8 + lane % 8) * row_pitch + column + lane / 16 * 8);
    } else {
        load_matrices<4, false>(
            r, tile + (column + lane / 16 * 8 + lane % 8) * depth_pitch + k + lane / 8 % 2 * 8);
    }
    b[0] = {{r[0], r[1]}};
    b[1] = {{r[2], r[3]}};
}

// sums [2][4] of a warp's 32 x 32 += tiles
template <class Half, bool a_by_row, bool b_by_row>
__device__ __forceinline__ void multiply_half_tiles(const Half* a, const Half* b, FragmentC (&sums)[2][4]) {
    const int row = warp_index() / 2 * 32, column = warp_index() % 2 * 32;
#pragma unroll
    for (int k = 0; k < half_depth; k += 16) {
        FragmentB right[4];
        right_fragments<b_by_row>(b, column, k, right);
        right_fragments<b_by_row>(b, column + 16, k, right + 2);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const FragmentA left = left_fragment<a_by_row>(a, row + 16 * i, k);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                multiply_fragments<Half>(sums[i][j], left, right[j]);
            }
        }
    }
}

__device__ __forceinline__ void stage_half_sums(const FragmentC (&sums)[2][4], float* staged) {
    const int row = warp_index() / 2 * 32 + lane_index() / 4;
    const int column = warp_index() % 2 * 32 + lane_index() % 4 * 2;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
#pragma unroll
            for (int part = 0; part < 2; ++part) {
                Pack<float, 2> pair;
                pair[0] = sums[i][j].v[2 * part];
                pair[1] = sums[i][j].v[2 * part + 1];
                store_pack(staged + (row + 16 * i + 8 * part) * half_staged_pitch + column + 8 * j, pair);
            }
        }
    }
}

// a [batches; M, K], b [batches; K, N] -> finish [batches; M, N], or partials [parts, batches, M, N];
// blocks (tiles, parts, batches)
template <class Half, bool a_by_row, bool b_by_row, class Left, class Right>
__device__ __forceinline__ void half_product(const Left& a, const Right& b, const ProductShape& shape,
                                             const StridedAxes<3>& batches, const Finish& finish,
                                             float* partials) {
    SharedArena arena;
    const size_t start = arena.mark();
    Half* tiles_a = arena.take<Half>(half_stages * half_tile);
    Half* tiles_b = arena.take<Half>(half_stages * half_tile);
    arena.rewind(start);
    float* staged = arena.take<float>(half_side * half_staged_pitch);
    const TilePlace place = tile_place(shape, half_side, half_side);
    const int steps = static_cast<int>((place.last - place.first + half_depth - 1) / half_depth);
    if (partials == nullptr && updates_in_packs(finish, shape))
        prefetch_update<half_side>(finish, shape, place.row, place.column);
    // Not block_count_z(), which counts those of all models.
    const int64_t planes = batch_planes(shape);
    for (int64_t batch = block_index_z() % planes; batch < shape.batches; batch += planes) {
        const Offsets<3> at = locate(batches, batch);
        const auto load = [&](int step) {
            if (step < steps) {
                const int64_t k = place.first + int64_t{step} * half_depth;
                const int stage = step % half_stages * half_tile;
                load_half_tile<a_by_row>(tiles_a + stage, a, at.of[1], place.row, k);
                load_half_tile<b_by_row>(tiles_b + stage, b, at.of[2], place.column, k);
            }
            async_copy_commit();
        };
        FragmentC sums[2][4];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[i][j] = {{0.0f, 0.0f, 0.0f, 0.0f}};
        }
        for (int step = 0; step < half_stages - 1; ++step) load(step);
#pragma unroll 1
        for (int step = 0; step < steps; ++step) {
            async_copy_wait<half_stages - 2>();
            block_barrier();
            load(step + half_stages - 1);
            const int stage = step % half_stages * half_tile;
            multiply_half_tiles<Half, a_by_row, b_by_row>(tiles_a + stage, tiles_b + stage, sums);
        }
        async_copy_wait<0>();
        block_barrier();
        stage_half_sums(sums, staged);
        block_barrier();
        finish_tile<float, half_side, half_side, half_staged_pitch, half_threads>(
            staged, shape, partials, finish, batch, at.of[0], place.row, place.column);
        block_barrier();
    }
}

}  // namespace nativegrad::cuda
