// Products that outgrow the caches: both operands are packed, B once for all threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/gemm/gemm_loops.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

// Some columns of B in all blocks of k: [block of k][panel of columns][depth][columns of the panel]
template <class T, class Stored>
class PackedColumns {
  public:
    PackedColumns(const GemmProblem<T, Stored>& problem, Range columns)
        : problem_(problem),
          columns_(columns),
          depth_(gemm_tuning::block_depth(problem.k)),
          buffer_(columns.size() * problem.k) {
        const int64_t panels = divide_up(columns.size(), problem.tile_columns());
        parallel_for(divide_up(problem.k, depth_) * panels,
                     [&](int64_t task) { pack(task / panels * depth_, task % panels); });
    }

    // Columns [j, j + count) of the block that begins at `start`
    T* panel(int64_t start, int64_t j) const {
        const int64_t depth = std::min(depth_, problem_.k - start);
        return buffer_.data() + start * columns_.size() + (j - columns_.begin) * depth;
    }

  private:
    void pack(int64_t start, int64_t index) const {
        const int64_t j = columns_.begin + index * problem_.tile_columns();
        const Matrix<Stored>& b = problem_.b;
        pack_panel(problem_.kernels, b.data + start * b.row_stride + j * b.column_stride, b.column_stride,
                   b.row_stride, std::min(problem_.tile_columns(), columns_.end - j),
                   std::min(depth_, problem_.k - start), panel(start, j));
    }

    const GemmProblem<T, Stored>& problem_;
    Range columns_;
    int64_t depth_;
    WorkBuffer<T> buffer_;
};

// a [rows, k] times packed columns -> c at (c_row, 1), bias first where not null
template <class T, class Stored>
void multiply_rows(const GemmProblem<T, Stored>& problem, const PackedColumns<T, Stored>& packed_b,
                   Range rows, Range columns, T* c, int64_t c_row, const T* bias) {
    const int64_t k_block = gemm_tuning::block_depth(problem.k);
    T* to = c + rows.begin * c_row;
    for (int64_t i = 0; bias != nullptr && i < rows.size(); ++i)
        std::copy_n(bias + columns.begin, columns.size(), to + i * c_row + columns.begin);
    WorkBuffer<T> packed_a(problem.packs_a ? rows.size() * std::min(problem.k, k_block) : 0);
    for (int64_t start = 0; start < problem.k; start += k_block) {
        const int64_t depth = std::min(k_block, problem.k - start);
        Matrix<Stored> a = problem.a;
        a.data += start * a.column_stride;
        if (problem.packs_a) pack_rows(problem, a, rows, depth, packed_a.data());
        for (int64_t j = columns.begin; j < columns.end; j += problem.tile_columns()) {
            const int64_t count = std::min(problem.tile_columns(), columns.end - j);
            multiply_panel(problem, depth, a, rows, problem.packs_a ? packed_a.data() : nullptr,
                           packed_b.panel(start, j), count, count, to + j, c_row,
                           bias != nullptr || start > 0);
        }
    }
}

template <class T, class Stored>
void multiply_blocked(const GemmProblem<T, Stored>& problem, int64_t m, int64_t n, T* c, int64_t c_row,
                      const T* bias, const GemmExtras& extras) {
    const int64_t tile = problem.tile_columns();
    const int64_t affordable = std::max<int64_t>(gemm_tuning::packed_elements / problem.k / tile, 1) * tile;
    const int64_t chunks = divide_up(n, affordable), tiles = divide_up(n, tile);
    const int64_t threads = thread_count();
    const int64_t row_blocks = divide_up(divide_up(m, gemm_tuning::blocked_rows), threads) * threads;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const Range panels = part_of(tiles, chunks, chunk);
        const Range columns{panels.begin * tile, std::min(n, panels.end * tile)};
        const PackedColumns<T, Stored> packed(problem, columns);
        parallel_for(row_blocks, [&](int64_t task) {
            const Range rows = part_of(m, row_blocks, task);
            if (rows.size() == 0) return;
            multiply_rows(problem, packed, rows, columns, c, c_row, bias);
            if (extras.finish != nullptr) extras.finish(extras.context, rows, columns);
        });
    }
}

}  // namespace nativegrad::cpu
