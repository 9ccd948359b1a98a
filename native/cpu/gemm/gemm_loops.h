// The loops around the micro-kernels, for one task: a region of C.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include "cpu/gemm/gemm_grid.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/gemm/half_rows.h"
#include "cpu/kernel_table.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

// Products in T of matrices stored as T, or as two-byte floats that are converted as they are packed.
template <class T, class Stored = T>
struct GemmProblem {
    const GemmKernels<T>& kernels;
    int64_t k;
    Matrix<Stored> a, b;
    int32_t vectors;        // of columns in a tile
    bool packs_a, packs_b;  // always where Stored is not T
    bool fetches_c = false;

    int64_t tile_columns() const { return vectors * kernels.width; }
};

// to[i] = x[i * stride]
template <class T>
void pack_step(const T* x, int64_t stride, int64_t lanes, T* to) {
    if (stride == 1) {
        std::memcpy(to, x, static_cast<size_t>(lanes) * sizeof(T));
    } else {
        for (int64_t i = 0; i < lanes; ++i) to[i] = x[i * stride];
    }
}

template <class Half, class = std::enable_if_t<!std::is_same_v<Half, float>>>
void pack_step(const Half* x, int64_t stride, int64_t lanes, float* to) {
    if (stride == 1) {
        to_floats(x, to, lanes);
    } else {
        for (int64_t i = 0; i < lanes; ++i) to[i] = to_float(x[i * stride]);
    }
}

template <class T>
void pack_turned(const GemmKernels<T>& kernels, const T* x, int64_t lane_stride, int64_t lanes, int64_t k,
                 T* to) {
    kernels.transpose(x, lane_stride, lanes, k, to, lanes);
}

template <class Half, class = std::enable_if_t<!std::is_same_v<Half, float>>>
void pack_turned(const GemmKernels<float>& kernels, const Half* x, int64_t lane_stride, int64_t lanes,
                 int64_t k, float* to) {
    constexpr int64_t strip_lanes = 16;
    float strip[strip_lanes * gemm_tuning::k_block];
    for (int64_t first = 0; first < lanes; first += strip_lanes) {
        const int64_t count = std::min(strip_lanes, lanes - first);
        for (int64_t i = 0; i < count; ++i) to_floats(x + (first + i) * lane_stride, strip + i * k, k);
        kernels.transpose(strip, k, count, k, to + first, lanes);
    }
}

// to[p * lanes + i] = x[i * lane_stride + p * k_stride]
template <class T, class Stored>
void pack_panel(const GemmKernels<T>& kernels, const Stored* x, int64_t lane_stride, int64_t k_stride,
                int64_t lanes, int64_t k, T* to, int64_t ahead = 24) {
    if (k_stride == 1) return pack_turned(kernels, x, lane_stride, lanes, k, to);
    if constexpr (std::is_same_v<T, Stored>) {
        if (lane_stride == 1) return kernels.pack_lanes(x, k_stride, lanes, k, ahead, to);
    }
    for (int64_t p = 0; p < k; ++p, x += k_stride, to += lanes) pack_step(x, lane_stride, lanes, to);
}

// The lines of a tile come from memory while its sums run.
template <class T>
void fetch_tile(const T* c, int64_t c_row, int64_t rows, int64_t columns) {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; j += line) __builtin_prefetch(c + i * c_row + j, 1);
    }
}

// The tiles of one panel of columns: b [depth, columns] at (b_step, 1).
template <class T, class Stored>
void multiply_panel(const GemmProblem<T, Stored>& problem, int64_t depth, const Matrix<Stored>& a, Range rows,
                    const T* packed_a, const T* b, int64_t b_step, int64_t columns, T* c, int64_t c_row,
                    bool accumulate) {
    const int64_t width = problem.kernels.width, vectors = (columns + width - 1) / width;
    const int64_t last_lanes = columns - (vectors - 1) * width;
    const int64_t most = problem.kernels.tile_rows[problem.vectors];
    const int64_t tiles = (rows.size() + most - 1) / most;
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        const auto micro = problem.kernels.micro[vectors][part.size()];
        if (problem.fetches_c) fetch_tile(c + part.begin * c_row, c_row, part.size(), columns);
        if (packed_a != nullptr) {
            micro(depth, packed_a + part.begin * depth, 1, part.size(), b, b_step, c + part.begin * c_row,
                  c_row, last_lanes, accumulate);
        } else if constexpr (std::is_same_v<T, Stored>) {
            micro(depth, a.data + (rows.begin + part.begin) * a.row_stride, a.row_stride, a.column_stride, b,
                  b_step, c + part.begin * c_row, c_row, last_lanes, accumulate);
        }
    }
}

template <class T, class Stored>
void pack_rows(const GemmProblem<T, Stored>& problem, const Matrix<Stored>& a, Range rows, int64_t depth,
               T* packed) {
    const int64_t most = problem.kernels.tile_rows[problem.vectors];
    const int64_t tiles = (rows.size() + most - 1) / most;
    // Where rows lie side by side, a few steps of all tiles at a time: neighbours share lines and pages.
    const int64_t stretch = a.row_stride == 1 ? 8 : depth;
    for (int64_t p = 0; p < depth; p += stretch) {
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const Range part = part_of(rows.size(), tiles, tile);
            pack_panel(problem.kernels,
                       a.data + (rows.begin + part.begin) * a.row_stride + p * a.column_stride, a.row_stride,
                       a.column_stride, part.size(), std::min(stretch, depth - p),
                       packed + part.begin * depth + p * part.size(), stretch);
        }
    }
}

// a [.., k] rows, b [k, ..] columns -> c [rows, columns] at (c_row, 1), added to what c holds if `accumulate`
template <class T, class Stored>
void multiply_region(const GemmProblem<T, Stored>& problem, Range rows, Range columns, T* c, int64_t c_row,
                     bool accumulate) {
    constexpr int64_t panel_elements =
        gemm_most_vectors * 64 / static_cast<int64_t>(sizeof(T)) * gemm_tuning::k_block;
    const int64_t k_block = gemm_tuning::block_depth(problem.k);
    alignas(64) T panel[panel_elements];
    std::optional<WorkBuffer<T>> packed;
    if (problem.packs_a) packed.emplace(rows.size() * std::min(problem.k, k_block));
    for (int64_t start = 0; start == 0 || start < problem.k; start += k_block) {
        const int64_t depth = std::min(k_block, problem.k - start);
        Matrix<Stored> a = problem.a;
        a.data += start * a.column_stride;
        if (packed) pack_rows(problem, a, rows, depth, packed->data());
        for (int64_t j = columns.begin; j < columns.end; j += problem.tile_columns()) {
            const int64_t count = std::min(problem.tile_columns(), columns.end - j);
            const Stored* from = problem.b.data + start * problem.b.row_stride + j * problem.b.column_stride;
            const T* b = panel;
            int64_t b_step = count;
            if (problem.packs_b) {
                pack_panel(problem.kernels, from, problem.b.column_stride, problem.b.row_stride, count, depth,
                           panel);
            } else if constexpr (std::is_same_v<T, Stored>) {
                b = from;
                b_step = problem.b.row_stride;
            }
            multiply_panel(problem, depth, a, rows, packed ? packed->data() : nullptr, b, b_step, count,
                           c + (j - columns.begin), c_row, accumulate || start > 0);
        }
    }
}

}  // namespace nativegrad::cpu
