#include "cpu/gemm/gemm_bf16.h"

#include <algorithm>

#include "cpu/gemm/gemm_bf16_loops.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

int64_t cost(const GemmBf16Kernels& kernels, int64_t m, int64_t n, int64_t k, const Matrix<BFloat16>& b) {
    const int64_t vectors = divide_up(n, kernels.width);
    const int64_t packing = b.row_stride == 1 ? gemm_tuning::transpose_cost : gemm_tuning::interleave_cost;
    return vectors * divide_up(k, 2) * (m + packing);
}

void multiply_straight(const Bf16Problem& problem, Range rows, Range columns, const HalfProduct<BFloat16>& c,
                       const float* bias) {
    const int64_t at = rows.begin * c.row + columns.begin;
    multiply_region(
        problem, rows, columns,
        {bias == nullptr ? nullptr : bias + columns.begin, 0, c.sums == nullptr ? nullptr : c.sums + at,
         c.rounded == nullptr ? nullptr : c.rounded + at, c.row, c.rounds_sums});
}

// C^T = B^T A^T into a buffer, turned around on its way to c.
void multiply_turned(const Bf16Problem& problem, Range rows, Range columns, const HalfProduct<BFloat16>& c,
                     const float* bias) {
    const int64_t stride = columns.size(), count = rows.size(), at = columns.begin * c.row + rows.begin;
    WorkBuffer<float> buffer(count * stride);
    for (int64_t i = 0; bias != nullptr && i < count; ++i)
        std::fill_n(buffer.data() + i * stride, stride, bias[rows.begin + i]);
    multiply_region(
        problem, rows, columns,
        {bias == nullptr ? nullptr : buffer.data(), stride, buffer.data(), nullptr, stride, c.rounds_sums});
    const auto transpose = kernels().gemm_f32.transpose;
    if (c.rounded == nullptr) return transpose(buffer.data(), stride, count, stride, c.sums + at, c.row);
    WorkBuffer<float> turned(count * stride);
    transpose(buffer.data(), stride, count, stride, turned.data(), count);
    for (int64_t j = 0; j < stride; ++j)
        kernels().convert.f32_to_bf16(turned.data() + j * count, c.rounded + at + j * c.row, count);
}

}  // namespace

void gemm_bf16(int64_t m, int64_t n, int64_t k, Matrix<BFloat16> a, Matrix<BFloat16> b,
               const HalfProduct<BFloat16>& c, const float* bias, const GemmExtras& extras) {
    if (m == 0 || n == 0) return;
    const GemmBf16Kernels& kernel = kernels().gemm_bf16;
    const bool turned =
        cost(kernel, n, m, k, transposed(a)) + m * n / kernel.width * gemm_tuning::transpose_cost <
        cost(kernel, m, n, k, b);
    if (turned) turn_around(m, n, a, b);
    Bf16Problem problem{kernel, k, a, b, 0, false};
    // Few rows to a tile in large products, as for float32: neither rows of A nor of C collide in the cache.
    const bool large = gemm_tuning::is_blocked(m, n, k);
    problem.vectors =
        large ? gemm_most_vectors : gemm_tuning::tile_vectors(kernel, m, divide_up(n, kernel.width));
    problem.packs_a = a.column_stride != 1 || (!large && gemm_tuning::packs_rows(n, a.row_stride * 2, 2));
    const auto owned =
        choose_owned_grid(m, n, k, owner_of(extras, turned), problem.tile_columns(), problem.tile_rows());
    const Grid grid = owned ? *owned
                            : choose_grid(m, n, k, problem.tile_columns(), problem.tile_rows(),
                                          gemm_tuning::bf16_row_block);
    multiply_by_regions(m, n, grid, problem.tile_columns(), turned, extras, [&](Range rows, Range columns) {
        (turned ? multiply_turned : multiply_straight)(problem, rows, columns, c, bias);
    });
}

}  // namespace nativegrad::cpu
