#include "cpu/gemm/gemm.h"

#include <algorithm>
#include <type_traits>

#include "cpu/gemm/gemm_bf16.h"
#include "cpu/gemm/gemm_blocked.h"
#include "cpu/gemm/gemm_grid.h"
#include "cpu/gemm/gemm_loops.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

// Vector multiply-adds, and vectors to pack, when the columns of C run along the vectors.
template <class T, class Stored>
int64_t cost(const GemmKernels<T>& kernels, int64_t m, int64_t n, int64_t k, const Matrix<Stored>& b) {
    const int64_t vectors = divide_up(n, kernels.width);
    return vectors * k * (m + (b.column_stride == 1 ? 0 : gemm_tuning::transpose_cost));
}

// C^T = B^T A^T into a buffer, turned around on its way to c.
template <class T, class Stored>
void multiply_turned(const GemmProblem<T, Stored>& problem, Range rows, Range columns, T* c, int64_t c_row,
                     const T* bias) {
    const int64_t stride = columns.size();
    WorkBuffer<T> buffer(rows.size() * stride);
    for (int64_t i = 0; bias != nullptr && i < rows.size(); ++i) {
        std::fill_n(buffer.data() + i * stride, stride, bias[rows.begin + i]);
    }
    multiply_region(problem, rows, columns, buffer.data(), stride, bias != nullptr);
    problem.kernels.transpose(buffer.data(), stride, rows.size(), stride,
                              c + columns.begin * c_row + rows.begin, c_row);
}

template <class T, class Stored>
void multiply_straight(const GemmProblem<T, Stored>& problem, Range rows, Range columns, T* c, int64_t c_row,
                       const T* bias) {
    T* to = c + rows.begin * c_row + columns.begin;
    for (int64_t i = 0; bias != nullptr && i < rows.size(); ++i) {
        std::copy_n(bias + columns.begin, columns.size(), to + i * c_row);
    }
    multiply_region(problem, rows, columns, to, c_row, bias != nullptr);
}

template <class T, class Stored>
void gemm_float(const GemmKernels<T>& kernels, int64_t m, int64_t n, int64_t k, Matrix<Stored> a,
                Matrix<Stored> b, T* c, int64_t c_row, const T* bias, const GemmExtras& extras = {}) {
    if (m == 0 || n == 0) return;
    if (n == 1) b.column_stride = 1;
    if (m == 1) a.row_stride = 1;
    const bool turned =
        cost(kernels, n, m, k, transposed(a)) + m * n / kernels.width * gemm_tuning::transpose_cost <
        cost(kernels, m, n, k, b);
    if (turned) turn_around(m, n, a, b);
    constexpr int64_t bytes = sizeof(T);
    constexpr bool converts = !std::is_same_v<T, Stored>;
    const bool packs_b =
        converts || b.column_stride != 1 || gemm_tuning::packs_columns(m, n, k, b.row_stride * bytes, bytes);
    GemmProblem<T, Stored> problem{kernels, k, a, b, 0, false, packs_b};
    problem.vectors = gemm_tuning::tile_vectors(kernels, m, divide_up(n, kernels.width));
    if (!turned && gemm_tuning::is_blocked(m, n, k)) {
        problem.vectors = kernels.blocked_vectors;
        problem.packs_a = converts || a.column_stride != 1;
        problem.packs_b = problem.fetches_c = true;
        return multiply_blocked<T, Stored>(problem, m, n, c, c_row, bias, extras);
    }
    problem.packs_a = converts || gemm_tuning::packs_rows(n, a.row_stride * bytes, a.column_stride * bytes);
    const int64_t tile_rows = kernels.tile_rows[problem.vectors];
    const auto owned =
        choose_owned_grid(m, n, k, owner_of(extras, turned), problem.tile_columns(), tile_rows);
    const Grid grid = owned ? *owned : choose_grid(m, n, k, problem.tile_columns(), tile_rows);
    multiply_by_regions(m, n, grid, problem.tile_columns(), turned, extras, [&](Range rows, Range columns) {
        (turned ? multiply_turned<T, Stored> : multiply_straight<T, Stored>)(problem, rows, columns, c, c_row,
                                                                             bias);
    });
}

// Operands become float32 as they are packed; the thread that made sums rounds them.
template <class Half>
void gemm_half(int64_t m, int64_t n, int64_t k, const Matrix<Half>& a, const Matrix<Half>& b,
               const HalfProduct<Half>& c, const float* bias, const GemmExtras& extras) {
    if (c.rounded == nullptr && !c.rounds_sums)
        return gemm_float(kernels().gemm_f32, m, n, k, a, b, c.sums, c.row, bias, extras);
    std::optional<WorkBuffer<float>> product;
    if (c.rounded != nullptr) product.emplace(m * n);
    float* const sums = product ? product->data() : c.sums;
    const int64_t sums_row = product ? n : c.row;
    const auto round = [&](Range rows, Range columns) {
        for (int64_t i = rows.begin; i < rows.end; ++i) {
            float* const row = sums + i * sums_row + columns.begin;
            if (c.rounded != nullptr)
                round_row(row, c.rounded + i * c.row + columns.begin, columns.size());
            else
                round_in_place<Half>(row, columns.size());
        }
        if (extras.finish != nullptr) extras.finish(extras.context, rows, columns);
    };
    gemm_float(kernels().gemm_f32, m, n, k, a, b, sums, sums_row, bias, finished_by(extras.owner, round));
}

}  // namespace

bool gemm_runs_inline(int64_t m, int64_t n, int64_t k) {
    return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) <
           static_cast<double>(gemm_tuning::inline_work);
}

void gemm(int64_t m, int64_t n, int64_t k, Matrix<float> a, Matrix<float> b, float* c, int64_t c_row_stride,
          const float* bias, const GemmExtras& extras) {
    gemm_float(kernels().gemm_f32, m, n, k, a, b, c, c_row_stride, bias, extras);
}

void gemm(int64_t m, int64_t n, int64_t k, Matrix<double> a, Matrix<double> b, double* c,
          int64_t c_row_stride, const double* bias, const GemmExtras& extras) {
    gemm_float(kernels().gemm_f64, m, n, k, a, b, c, c_row_stride, bias, extras);
}

void gemm(int64_t m, int64_t n, int64_t k, Matrix<BFloat16> a, Matrix<BFloat16> b,
          const HalfProduct<BFloat16>& c, const float* bias, const GemmExtras& extras) {
    if (kernels().gemm_bf16.width != 0) return gemm_bf16(m, n, k, a, b, c, bias, extras);
    gemm_half(m, n, k, a, b, c, bias, extras);
}

void gemm(int64_t m, int64_t n, int64_t k, Matrix<Float16> a, Matrix<Float16> b,
          const HalfProduct<Float16>& c, const float* bias, const GemmExtras& extras) {
    gemm_half(m, n, k, a, b, c, bias, extras);
}

void gemm(int64_t m, int64_t n, int64_t k, Matrix<int64_t> a, Matrix<int64_t> b, int64_t* c,
          int64_t c_row_stride, const int64_t* bias) {
    parallel_for(m, [&](int64_t i) {
        for (int64_t j = 0; j < n; ++j) {
            uint64_t sum = bias == nullptr ? 0 : static_cast<uint64_t>(bias[j]);
            for (int64_t p = 0; p < k; ++p) {
                sum += static_cast<uint64_t>(a.data[i * a.row_stride + p * a.column_stride]) *
                       static_cast<uint64_t>(b.data[p * b.row_stride + j * b.column_stride]);
            }
            c[i * c_row_stride + j] = static_cast<int64_t>(sum);
        }
    });
}

}  // namespace nativegrad::cpu
