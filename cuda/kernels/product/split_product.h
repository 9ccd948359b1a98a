// Products of few elements and any depth in one launch: the warps of a block share its tile's depth, and
// their sums are joined in shared memory, in the order of the warps. Two-byte floats on tensor cores in tiles
// of 32 x 32 or 64 x 64, floats by fused multiply-adds in tiles of 32 x 32.
#pragma once

#include "kernels/product/finish.h"
#include "kernels/product/fragments.h"
#include "kernels/product/product.h"
#include "kernels/product/update_packs.h"

namespace nativegrad::cuda {

constexpr int split_threads = 256;

// Warps take 32 x 32 elements, of `each` of a stage's depth. Lines of tiles lie a multiple of 16 bytes apart
// by an odd number.
template <class T, int side>
struct SplitTile {
    static constexpr int across = side / 32, deep = 8 / (across * across);
    static constexpr int depth = side == 32 ? 128 : 64, each = depth / deep;
    static constexpr int width = static_cast<int>(16 / sizeof(T));
    static constexpr int depth_pitch = depth + width, row_pitch = side + width;
    static constexpr int by_depth = side * depth_pitch, by_row = sizeof(T) == 2 ? depth * row_pitch : 0;
    static constexpr int elements = by_depth > by_row ? by_depth : by_row;
    static constexpr int stages = sizeof(T) == 2 ? 3 : 2;
    static constexpr int staged_pitch = side + 4, part_elements = side * staged_pitch;
};

template <class T, int side>
constexpr size_t split_shared_bytes() {
    using Tile = SplitTile<T, side>;
    constexpr size_t tiles = 2 * shared_bytes<T>(Tile::stages * Tile::elements);
    constexpr size_t staged =
        shared_bytes<float>(Tile::deep * side * Tile::staged_pitch) + shared_bytes<float>(Tile::deep * side);
    return tiles > staged ? tiles : staged;
}

// x from (first_row, first_depth) -> tile, [side, depth_pitch] or [depth, row_pitch]; zeros outside of x
template <bool by_row, class T, int side>
__device__ __forceinline__ void load_split_tile(T* tile, const StridedOperand& x, int64_t offset,
                                                int64_t first_row, int64_t first_depth) {
    using Tile = SplitTile<T, side>;
    const T* data = static_cast<const T*>(x.data) + offset;
    if (by_row || x.access == Access::depth_chunks) {
        constexpr int chunks = (by_row ? side : Tile::depth) / Tile::width;
        constexpr int pitch = by_row ? Tile::row_pitch : Tile::depth_pitch;
#pragma unroll 1
        for (int i = thread_index(); i < side * Tile::depth / Tile::width; i += split_threads) {
            const int line = i / chunks, part = i % chunks * Tile::width;
            const Place place = by_row ? x.at(first_row + part, first_depth + line)
                                       : x.at(first_row + line, first_depth + part);
            async_copy_or_zero<16>(tile + line * pitch + part, place.valid ? data + place.offset : data,
                                   place.valid);
        }
        return;
    }
    const bool along = x.runs_along_depth();
#pragma unroll 1
    for (int i = thread_index(); i < side * Tile::depth; i += split_threads) {
        // Eight rows and four columns a warp, where neighbours in memory lie along the rows.
        const int piece = i / 32, lane = i % 32;
        const int row = along ? i / Tile::depth : piece % (side / 8) * 8 + lane % 8;
        const int k = along ? i % Tile::depth : piece / (side / 8) * 4 + lane / 8;
        const Place place = x.at(first_row + row, first_depth + k);
        T* to = tile + row * Tile::depth_pitch + k;
        if constexpr (sizeof(T) == 4) {
            if (x.access == Access::elements) {
                async_copy_or_zero<4>(to, place.valid ? data + place.offset : data, place.valid);
                continue;
            }
            *to = place.valid ? load_as<T>(Source{x.data, x.dtype, 0}, offset + place.offset) : T(0);
        } else {
            *to = place.valid ? data[place.offset] : from_float<T>(0.0f);
        }
    }
}

// A warp's 32 x 32 sums on tensor cores, and the sums of A's rows.
template <class T, int side, bool a_by_row, bool b_by_row>
struct SplitSums {
    using Tile = SplitTile<T, side>;
    FragmentC sums[2][4] = {}, row_sums[2] = {};

    static __device__ __forceinline__ FragmentA left(const T* tile, int row, int k) {
        const int lane = lane_index();
        FragmentA a;
        if constexpr (a_by_row)
            load_matrices<4, true>(
                a.r, tile + (k + lane / 16 * 8 + lane % 8) * Tile::row_pitch + row + lane / 8 % 2 * 8);
        else
            load_matrices<4, false>(a.r, tile + (row + lane % 16) * Tile::depth_pitch + k + lane / 16 * 8);
        return a;
    }

    static __device__ __forceinline__ void right(const T* tile, int column, int k, FragmentB* b) {
        const int lane = lane_index();
        uint32_t r[4];
        if constexpr (b_by_row)
            load_matrices<4, true>(
                r, tile + (k + lane / 8 % 2 * 8 + lane % 8) * Tile::row_pitch + column + lane / 16 * 8);
        else
            load_matrices<4, false>(
                r, tile + (column + lane / 16 * 8 + lane % 8) * Tile::depth_pitch + k + lane / 8 % 2 * 8);
        b[0] = {{r[0], r[1]}};
        b[1] = {{r[2], r[3]}};
    }

    __device__ __forceinline__ void add(const T* a, const T* b, int row, int column, int first,
                                        bool with_rows) {
        const uint32_t ones = pack_pair(from_float<T>(1.0f), from_float<T>(1.0f));
#pragma unroll
        for (int k = first; k < first + Tile::each; k += 16) {
            FragmentB of_b[4];
            right(b, column, k, of_b);
            right(b, column + 16, k, of_b + 2);
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const FragmentA of_a = left(a, row + 16 * i, k);
#pragma unroll
                for (int j = 0; j < 4; ++j) multiply_fragments<T>(sums[i][j], of_a, of_b[j]);
                if (with_rows) multiply_fragments<T>(row_sums[i], of_a, {{ones, ones}});
            }
        }
    }

    // To staged [32, staged_pitch], and rows [32].
    __device__ __forceinline__ void stage(float* staged, float* rows) const {
        const int row = lane_index() / 4, column = lane_index() % 4 * 2;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                Pack<float, 2> pair;
                pair[0] = sums[i / 2][j].v[i % 2 * 2];
                pair[1] = sums[i / 2][j].v[i % 2 * 2 + 1];
                store_pack(staged + (row + 8 * i) * Tile::staged_pitch + column + 8 * j, pair);
            }
            if (rows != nullptr && column == 0) rows[row + 8 * i] = row_sums[i / 2].v[i % 2 * 2];
        }
    }
};

// The same without tensor cores: a lane has the rows y + 4 i and the columns x + 8 j.
template <>
struct SplitSums<float, 32, false, false> {
    using Tile = SplitTile<float, 32>;
    float sums[8][4] = {}, row_sum = 0;

    __device__ __forceinline__ void add(const float* a, const float* b, int, int, int first, bool with_rows) {
        const float* row = a + lane_index() / 8 * Tile::depth_pitch;
        const float* column = b + lane_index() % 8 * Tile::depth_pitch;
#pragma unroll
        for (int k = first; k < first + Tile::each; k += 4) {
            Pack<float, 4> left[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) left[i] = load_pack<4>(row + i * 4 * Tile::depth_pitch + k);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const Pack<float, 4> right = load_pack<4>(column + j * 8 * Tile::depth_pitch + k);
#pragma unroll
                for (int i = 0; i < 8; ++i) {
#pragma unroll
                    for (int q = 0; q < 4; ++q) sums[i][j] = fma(left[i][q], right[q], sums[i][j]);
                }
            }
            if (with_rows) {
                const Pack<float, 4> own = load_pack<4>(a + lane_index() * Tile::depth_pitch + k);
                row_sum += own[0] + own[1] + own[2] + own[3];
            }
        }
    }

    __device__ __forceinline__ void stage(float* staged, float* rows) const {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
#pragma unroll
            for (int j = 0; j < 4; ++j)
                staged[(lane_index() / 8 + 4 * i) * Tile::staged_pitch + lane_index() % 8 + 8 * j] =
                    sums[i][j];
        }
        if (rows != nullptr) rows[lane_index()] = row_sum;
    }
};

// The sum of an element's parts, in the order of the warps.
template <class Tile>
__device__ __forceinline__ float joined(const float* part) {
    float sum = part[0];
#pragma unroll
    for (int d = 1; d < Tile::deep; ++d) sum += part[d * Tile::part_elements];
    return sum;
}

// Those of four neighbours, as a tensor of this dtype would hold them.
struct FourSums {
    float of[4];
};
template <class Tile>
__device__ __forceinline__ FourSums joined_pack(const float* part, DType rounds) {
    Pack<float, 4> sum = load_pack<4>(part);
#pragma unroll
    for (int d = 1; d < Tile::deep; ++d) {
        const Pack<float, 4> own = load_pack<4>(part + d * Tile::part_elements);
#pragma unroll
        for (int e = 0; e < 4; ++e) sum[e] += own[e];
    }
    FourSums sums;
#pragma unroll
    for (int e = 0; e < 4; ++e) sums.of[e] = rounded_to(rounds, sum[e]);
    return sums;
}

// a [batches; M, K], b [batches; K, N] -> finish [batches; M, N]; sums over K of a, where they are wanted, ->
// row_sums [M]; blocks (tiles, 1, batches)
template <class T, int side, bool a_by_row, bool b_by_row>
__device__ __forceinline__ void split_product(const StridedOperand& a, const StridedOperand& b,
                                              const ProductShape& shape, const StridedAxes<3>& batches,
                                              const Finish& finish, const Finish& row_finish) {
    using Tile = SplitTile<T, side>;
    SharedArena arena;
    const size_t start = arena.mark();
    T* tiles_a = arena.take<T>(Tile::stages * Tile::elements);
    T* tiles_b = arena.take<T>(Tile::stages * Tile::elements);
    arena.rewind(start);
    float* staged = arena.take<float>(Tile::deep * side * Tile::staged_pitch);
    float* staged_rows = arena.take<float>(Tile::deep * side);
    const int across = static_cast<int>((shape.n + side - 1) / side);
    const int64_t first_row = int64_t{block_index() / across} * side;
    const int64_t first_column = int64_t{block_index() % across} * side;
    const int within = warp_index() % (Tile::across * Tile::across);
    const int deep = warp_index() / (Tile::across * Tile::across);
    const int row = within / Tile::across * 32, column = within % Tile::across * 32;
    const bool block_has_rows = row_finish.out != nullptr && first_column == 0;
    const bool with_rows = block_has_rows && column == 0;
    const int steps = static_cast<int>((shape.k + Tile::depth - 1) / Tile::depth);
    const bool in_packs = updates_in_packs(finish, shape);
    if (in_packs) prefetch_update<side>(finish, shape, first_row, first_column);
    // Not block_count_z(), which counts those of all models.
    const int64_t planes = batch_planes(shape);
    for (int64_t batch = block_index_z() % planes; batch < shape.batches; batch += planes) {
        const Offsets<3> at = locate(batches, batch);
        const auto load = [&](int step) {
            if (step < steps) {
                const int64_t k = int64_t{step} * Tile::depth;
                const int stage = step % Tile::stages * Tile::elements;
                load_split_tile<a_by_row, T, side>(tiles_a + stage, a, at.of[1], first_row, k);
                load_split_tile<b_by_row, T, side>(tiles_b + stage, b, at.of[2], first_column, k);
            }
            async_copy_commit();
        };
        SplitSums<T, side, a_by_row, b_by_row> sums;
#pragma unroll 1
        for (int step = 0; step < Tile::stages - 1; ++step) load(step);
#pragma unroll 1
        for (int step = 0; step < steps; ++step) {
            async_copy_wait<Tile::stages - 2>();
            block_barrier();
            load(step + Tile::stages - 1);
            const int stage = step % Tile::stages * Tile::elements;
            sums.add(tiles_a + stage, tiles_b + stage, row, column, deep * Tile::each, with_rows);
        }
        async_copy_wait<0>();
        block_barrier();
        sums.stage(staged + (deep * side + row) * Tile::staged_pitch + column,
                   with_rows ? staged_rows + deep * side + row : nullptr);
        block_barrier();
        const int width = in_packs ? 4 : 1;
#pragma unroll 1
        for (int i = thread_index() * width; i < side * side; i += split_threads * width) {
            const int64_t m = first_row + i / side, n = first_column + i % side;
            if (m >= shape.m || n >= shape.n) continue;
            const float* part = staged + i / side * Tile::staged_pitch + i % side;
            if (in_packs)
                finish_update(finish, m * finish.row_stride + n, joined_pack<Tile>(part, finish.rounds).of);
            else
                finish_element(finish, batch, at.of[0], m, n, joined<Tile>(part));
        }
        if (block_has_rows && thread_index() < side && first_row + thread_index() < shape.m) {
            float sum = staged_rows[thread_index()];
            for (int d = 1; d < Tile::deep; ++d) sum += staged_rows[d * side + thread_index()];
            finish_element(row_finish, 0, 0, 0, first_row + thread_index(), sum);
        }
        block_barrier();
    }
}

}  // namespace nativegrad::cuda
