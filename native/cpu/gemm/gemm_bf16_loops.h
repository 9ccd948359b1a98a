// The loops around the micro-kernels of bfloat16, for one task: a region of the product.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cpu/gemm/gemm_grid.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/kernel_table.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

struct Bf16Problem {
    const GemmBf16Kernels& kernels;
    int64_t k;
    Matrix<BFloat16> a, b;
    int32_t vectors;  // of columns in a tile
    bool packs_a;

    int64_t tile_columns() const { return vectors * kernels.width; }
    int64_t tile_rows() const { return kernels.tile_rows[vectors]; }
};

// A region of the product: start (+ a b) -> sums or rounded, at (row, 1). start may be null, or be sums.
// rounds_sums: the sums are left with values of bfloat16.
struct Bf16Region {
    const float* start;
    int64_t start_row;
    float* sums;
    BFloat16* rounded;
    int64_t row;
    bool rounds_sums = false;
};

// The rows of one block of k as tiles of [steps, rows of the tile, 2].
inline void pack_rows(const Bf16Problem& problem, const BFloat16* a, Range rows, int64_t depth,
                      BFloat16* packed) {
    const int64_t tiles = divide_up(rows.size(), problem.tile_rows()), even_depth = divide_up(depth, 2) * 2;
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        problem.kernels.pack_pairs(a + part.begin * problem.a.row_stride, problem.a.row_stride,
                                   problem.a.column_stride, part.size(), depth,
                                   packed + part.begin * even_depth, part.size());
    }
}

// The tiles of one packed panel of columns.
inline void multiply_panel(const Bf16Problem& problem, int64_t depth, const BFloat16* a, Range rows,
                           const BFloat16* packed_a, const BFloat16* panel, int64_t columns,
                           const Bf16Region& region) {
    const int64_t width = problem.kernels.width, vectors = divide_up(columns, width);
    const int64_t last_lanes = columns - (vectors - 1) * width, steps = divide_up(depth, 2);
    const int64_t tiles = divide_up(rows.size(), problem.kernels.tile_rows[problem.vectors]);
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        const auto micro = problem.kernels.micro[vectors][part.size()];
        const int64_t i = part.begin;
        const GemmBf16Target target{region.start == nullptr ? nullptr : region.start + i * region.start_row,
                                    region.start_row,
                                    region.sums == nullptr ? nullptr : region.sums + i * region.row,
                                    region.rounded == nullptr ? nullptr : region.rounded + i * region.row,
                                    region.row,
                                    region.rounds_sums};
        if (packed_a != nullptr) {
            micro(steps, packed_a + i * 2 * steps, 2, 2 * part.size(), panel, target, last_lanes);
        } else {
            micro(steps, a + i * problem.a.row_stride, problem.a.row_stride, 2, panel, target, last_lanes);
        }
    }
}

// The region for one block of k and from column j on: blocks but the last leave float32 sums.
inline Bf16Region at_block(const Bf16Region& whole, float* sums, int64_t sums_row, bool first, bool last,
                           int64_t j) {
    Bf16Region part = whole;
    if (!first) {
        part.start = sums;
        part.start_row = sums_row;
    }
    if (!last) {
        part.sums = sums;
        part.rounded = nullptr;
        part.rounds_sums = false;
        part.row = sums_row;
    }
    if (part.start != nullptr) part.start += j;
    if (part.sums != nullptr) part.sums += j;
    if (part.rounded != nullptr) part.rounded += j;
    return part;
}

// a [.., k] rows, b [k, ..] columns -> region
inline void multiply_region(const Bf16Problem& problem, Range rows, Range columns, const Bf16Region& region) {
    alignas(64) BFloat16 panel[gemm_most_vectors * 16 * gemm_tuning::bf16_k_block];
    const int64_t longest = std::min(divide_up(problem.k, 2) * 2, gemm_tuning::bf16_k_block);
    std::optional<WorkBuffer<BFloat16>> packed;
    if (problem.packs_a || problem.k % 2 != 0) packed.emplace(rows.size() * longest);
    std::optional<WorkBuffer<float>> partial;
    if (region.sums == nullptr && problem.k > gemm_tuning::bf16_k_block)
        partial.emplace(rows.size() * columns.size());
    float* sums = partial ? partial->data() : region.sums;
    const int64_t sums_row = partial ? columns.size() : region.row;
    for (int64_t start = 0; start == 0 || start < problem.k; start += gemm_tuning::bf16_k_block) {
        const int64_t depth = std::min(gemm_tuning::bf16_k_block, problem.k - start);
        const bool packs = problem.packs_a || depth % 2 != 0;
        const BFloat16* a =
            problem.a.data + rows.begin * problem.a.row_stride + start * problem.a.column_stride;
        if (packs) pack_rows(problem, a, rows, depth, packed->data());
        for (int64_t j = columns.begin; j < columns.end; j += problem.tile_columns()) {
            const int64_t count = std::min(problem.tile_columns(), columns.end - j);
            const int64_t lanes = divide_up(count, problem.kernels.width) * problem.kernels.width;
            problem.kernels.pack_pairs(
                problem.b.data + start * problem.b.row_stride + j * problem.b.column_stride,
                problem.b.column_stride, problem.b.row_stride, count, depth, panel, lanes);
            multiply_panel(
                problem, depth, a, rows, packs ? packed->data() : nullptr, panel, count,
                at_block(region, sums, sums_row, start == 0, start + depth >= problem.k, j - columns.begin));
        }
    }
}

}  // namespace nativegrad::cpu
