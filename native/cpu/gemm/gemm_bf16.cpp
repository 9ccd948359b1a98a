#include "cpu/gemm/gemm_bf16.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cpu/gemm/gemm_grid.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

using gemm_tuning::bf16_k_block;

struct Problem {
    const GemmBf16Kernels& kernels;
    int64_t k;
    Matrix<BFloat16> a, b;
    int32_t vectors;  // of columns in a tile
    bool packs_a;

    int64_t tile_columns() const { return vectors * kernels.width; }
    int64_t tile_rows() const { return kernels.tile_rows[vectors]; }
};

// A region of the product: start (+ a b) -> sums or rounded, at (row, 1). start may be null, or be sums.
struct Region {
    const float* start;
    int64_t start_row;
    float* sums;
    BFloat16* rounded;
    int64_t row;
};

int64_t cost(const GemmBf16Kernels& kernels, int64_t m, int64_t n, int64_t k, const Matrix<BFloat16>& b) {
    const int64_t vectors = divide_up(n, kernels.width);
    const int64_t packing = b.row_stride == 1 ? gemm_tuning::transpose_cost : gemm_tuning::interleave_cost;
    return vectors * divide_up(k, 2) * (m + packing);
}

// The rows of one block of k as tiles of [steps, rows of the tile, 2].
void pack_rows(const Problem& problem, const BFloat16* a, Range rows, int64_t depth, BFloat16* packed) {
    const int64_t tiles = divide_up(rows.size(), problem.tile_rows()), even_depth = divide_up(depth, 2) * 2;
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        problem.kernels.pack_pairs(a + part.begin * problem.a.row_stride, problem.a.row_stride,
                                   problem.a.column_stride, part.size(), depth,
                                   packed + part.begin * even_depth, part.size());
    }
}

// The tiles of one packed panel of columns.
void multiply_panel(const Problem& problem, int64_t depth, const BFloat16* a, Range rows,
                    const BFloat16* packed_a, const BFloat16* panel, int64_t columns, const Region& region) {
    const int64_t width = problem.kernels.width, vectors = divide_up(columns, width);
    const int64_t last_lanes = columns - (vectors - 1) * width, steps = divide_up(depth, 2);
    const int64_t tiles = divide_up(rows.size(), problem.kernels.tile_rows[problem.vectors]);
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        const auto micro = problem.kernels.micro[vectors][part.size()];
        const int64_t i = part.begin;
        const GemmBf16Target target{
            region.start == nullptr ? nullptr : region.start + i * region.start_row, region.start_row,
            region.sums == nullptr ? nullptr : region.sums + i * region.row,
            region.rounded == nullptr ? nullptr : region.rounded + i * region.row, region.row};
        if (packed_a != nullptr) {
            micro(steps, packed_a + i * 2 * steps, 2, 2 * part.size(), panel, target, last_lanes);
        } else {
            micro(steps, a + i * problem.a.row_stride, problem.a.row_stride, 2, panel, target, last_lanes);
        }
    }
}

// The region for one block of k and from column j on: blocks but the last leave float32 sums.
Region at_block(const Region& whole, float* sums, int64_t sums_row, bool first, bool last, int64_t j) {
    Region part = whole;
    if (!first) {
        part.start = sums;
        part.start_row = sums_row;
    }
    if (!last) {
        part.sums = sums;
        part.rounded = nullptr;
        part.row = sums_row;
    }
    if (part.start != nullptr) part.start += j;
    if (part.sums != nullptr) part.sums += j;
    if (part.rounded != nullptr) part.rounded += j;
    return part;
}

// a [.., k] rows, b [k, ..] columns -> region
void multiply_region(const Problem& problem, Range rows, Range columns, const Region& region) {
    alignas(64) BFloat16 panel[gemm_most_vectors * 16 * bf16_k_block];
    const int64_t longest = std::min(divide_up(problem.k, 2) * 2, bf16_k_block);
    std::optional<WorkBuffer<BFloat16>> packed;
    if (problem.packs_a || problem.k % 2 != 0) packed.emplace(rows.size() * longest);
    std::optional<WorkBuffer<float>> partial;
    if (region.sums == nullptr && problem.k > bf16_k_block) partial.emplace(rows.size() * columns.size());
    float* sums = partial ? partial->data() : region.sums;
    const int64_t sums_row = partial ? columns.size() : region.row;
    for (int64_t start = 0; start == 0 || start < problem.k; start += bf16_k_block) {
        const int64_t depth = std::min(bf16_k_block, problem.k - start);
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

void multiply_straight(const Problem& problem, Range rows, Range columns, const HalfProduct<BFloat16>& c,
                       const float* bias) {
    const int64_t at = rows.begin * c.row + columns.begin;
    multiply_region(
        problem, rows, columns,
        {bias == nullptr ? nullptr : bias + columns.begin, 0, c.sums == nullptr ? nullptr : c.sums + at,
         c.rounded == nullptr ? nullptr : c.rounded + at, c.row});
}

// C^T = B^T A^T into a buffer, turned around on its way to c.
void multiply_turned(const Problem& problem, Range rows, Range columns, const HalfProduct<BFloat16>& c,
                     const float* bias) {
    const int64_t stride = columns.size(), count = rows.size(), at = columns.begin * c.row + rows.begin;
    WorkBuffer<float> buffer(count * stride);
    for (int64_t i = 0; bias != nullptr && i < count; ++i)
        std::fill_n(buffer.data() + i * stride, stride, bias[rows.begin + i]);
    multiply_region(problem, rows, columns,
                    {bias == nullptr ? nullptr : buffer.data(), stride, buffer.data(), nullptr, stride});
    const auto transpose = kernels().gemm_f32.transpose;
    if (c.rounded == nullptr) return transpose(buffer.data(), stride, count, stride, c.sums + at, c.row);
    WorkBuffer<float> turned(count * stride);
    transpose(buffer.data(), stride, count, stride, turned.data(), count);
    for (int64_t j = 0; j < stride; ++j)
        kernels().convert.f32_to_bf16(turned.data() + j * count, c.rounded + at + j * c.row, count);
}

}  // namespace

void gemm_bf16(int64_t m, int64_t n, int64_t k, Matrix<BFloat16> a, Matrix<BFloat16> b,
               const HalfProduct<BFloat16>& c, const float* bias) {
    if (m == 0 || n == 0) return;
    const GemmBf16Kernels& kernel = kernels().gemm_bf16;
    const bool turned =
        cost(kernel, n, m, k, transposed(a)) + m * n / kernel.width * gemm_tuning::transpose_cost <
        cost(kernel, m, n, k, b);
    if (turned) {
        std::swap(m, n);
        std::swap(a, b);
        a = transposed(a);
        b = transposed(b);
    }
    Problem problem{kernel, k, a, b, 0, false};
    // Few rows to a tile in large products, as for float32: neither rows of A nor of C collide in the cache.
    const bool large = gemm_tuning::is_blocked(m, n, k);
    problem.vectors =
        large ? gemm_most_vectors : gemm_tuning::tile_vectors(kernel, m, divide_up(n, kernel.width));
    problem.packs_a = a.column_stride != 1 || (!large && gemm_tuning::packs_rows(n, a.row_stride * 2, 2));
    const Grid grid =
        choose_grid(m, n, k, problem.tile_columns(), problem.tile_rows(), gemm_tuning::bf16_row_block);
    const int64_t tile = problem.tile_columns(), tiles = divide_up(n, tile);
    parallel_for(grid.rows * grid.columns, [&](int64_t task) {
        const Range rows = part_of(m, grid.rows, task / grid.columns);
        const Range panels = part_of(tiles, grid.columns, task % grid.columns);
        const Range columns{panels.begin * tile, std::min(n, panels.end * tile)};
        if (rows.size() == 0 || columns.size() <= 0) return;
        (turned ? multiply_turned : multiply_straight)(problem, rows, columns, c, bias);
    });
}

}  // namespace nativegrad::cpu
