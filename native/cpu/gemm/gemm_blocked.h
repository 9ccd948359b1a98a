// Products that outgrow the caches: both operands are packed, B once for all threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/gemm/gemm_loops.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

// Some columns of C, cut into strips of whole vectors: one for each thread where they are wide enough.
struct Strips {
    Range columns;
    int64_t width, count;

    Strips(Range all, int64_t vector_width, int64_t tile_columns, int64_t threads)
        : columns(all), width(vector_width) {
        count = std::clamp<int64_t>(all.size() / tile_columns, 1, threads);
    }
    Range operator[](int64_t index) const {
        const Range part = part_of(divide_up(columns.size(), width), count, index);
        return {columns.begin + part.begin * width, std::min(columns.end, columns.begin + part.end * width)};
    }
};

// The columns of B for some strips in all blocks of k: [block of k][panel of columns][depth][columns of the
// panel]. A thread packs the strip that it multiplies with: lines travel slowly from one core to another.
template <class T, class Stored>
class PackedColumns {
  public:
    PackedColumns(const GemmProblem<T, Stored>& problem, const Strips& strips)
        : problem_(problem),
          columns_(strips.columns),
          depth_(gemm_tuning::block_depth(problem.k)),
          buffer_(columns_.size() * problem.k) {
        const int64_t blocks = divide_up(problem.k, depth_);
        parallel_for(strips.count * blocks, [&](int64_t task) {
            const Range strip = strips[task / blocks];
            for (int64_t j = strip.begin; j < strip.end; j += problem_.tile_columns())
                pack(task % blocks * depth_, j, std::min(problem_.tile_columns(), strip.end - j));
        });
    }

    // Columns [j, j + count) of the block that begins at `start`
    T* panel(int64_t start, int64_t j) const {
        const int64_t depth = std::min(depth_, problem_.k - start);
        return buffer_.data() + start * columns_.size() + (j - columns_.begin) * depth;
    }

  private:
    void pack(int64_t start, int64_t j, int64_t count) const {
        const Matrix<Stored>& b = problem_.b;
        pack_panel(problem_.kernels, b.data + start * b.row_stride + j * b.column_stride, b.column_stride,
                   b.row_stride, count, std::min(depth_, problem_.k - start), panel(start, j));
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

// Blocks of rows, so that the threads get as many tasks each.
inline int64_t choose_row_blocks(int64_t m, int64_t strips) {
    const int64_t threads = thread_count();
    int64_t blocks = divide_up(m, gemm_tuning::blocked_rows);
    while (blocks * strips % threads != 0) ++blocks;
    return blocks;
}

template <class T, class Stored>
void multiply_blocked(const GemmProblem<T, Stored>& problem, int64_t m, int64_t n, T* c, int64_t c_row,
                      const T* bias, const GemmExtras& extras) {
    const int64_t tile = problem.tile_columns(), tiles = divide_up(n, tile);
    const int64_t affordable = std::max<int64_t>(gemm_tuning::packed_elements / problem.k / tile, 1);
    const int64_t chunks = divide_up(tiles, affordable);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const Range panels = part_of(tiles, chunks, chunk);
        const Strips strips({panels.begin * tile, std::min(n, panels.end * tile)}, problem.kernels.width,
                            tile, thread_count());
        const PackedColumns<T, Stored> packed(problem, strips);
        const int64_t row_blocks = choose_row_blocks(m, strips.count);
        parallel_for(strips.count * row_blocks, [&](int64_t task) {
            const Range rows = part_of(m, row_blocks, task % row_blocks);
            const Range columns = strips[task / row_blocks];
            if (rows.size() == 0) return;
            multiply_rows(problem, packed, rows, columns, c, c_row, bias);
            if (extras.finish != nullptr) extras.finish(extras.context, rows, columns);
        });
    }
}

}  // namespace nativegrad::cpu
