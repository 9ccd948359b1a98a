// How a product is cut into tasks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemm_tuning.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

// Part `index` of `parts` nearly equal ones.
inline Range part_of(int64_t count, int64_t parts, int64_t index) {
    const int64_t base = count / parts, longer = count % parts;
    const int64_t begin = index * base + std::min(index, longer);
    return {begin, begin + base + (index < longer ? 1 : 0)};
}

inline int64_t divide_up(int64_t value, int64_t step) { return (value + step - 1) / step; }

template <class T>
Matrix<T> transposed(const Matrix<T>& x) {
    return {x.data, x.column_stride, x.row_stride};
}

// A b is to be made as (b^T a^T)^T.
template <class T>
void turn_around(int64_t& m, int64_t& n, Matrix<T>& a, Matrix<T>& b) {
    std::swap(m, n);
    std::swap(a, b);
    a = transposed(a);
    b = transposed(b);
}

// How the region of C is cut into tasks.
struct Grid {
    int64_t rows, columns;
};

inline Grid choose_grid(int64_t m, int64_t n, int64_t k, int64_t tile_columns, int64_t tile_rows,
                        int64_t row_block = gemm_tuning::row_block) {
    Grid grid{divide_up(m, row_block), divide_up(n, gemm_tuning::column_block)};
    const int64_t threads = thread_count();
    if (threads == 1 || gemm_runs_inline(m, n, k)) return grid;
    const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    const int64_t wanted = static_cast<int64_t>(std::clamp<double>(
        work / gemm_tuning::task_work, 2, static_cast<double>(threads * gemm_tuning::tasks_per_thread)));
    while (grid.rows * grid.columns < wanted) {
        const int64_t rows_left = m / (grid.rows * tile_rows),
                      columns_left = n / (grid.columns * tile_columns);
        if (rows_left < 2 && columns_left < 2) break;
        // A panel of B serves all rows of a task, so columns are cut first.
        if (columns_left >= 2 && columns_left * 8 >= rows_left) {
            grid.columns *= 2;
        } else {
            grid.rows *= 2;
        }
    }
    return grid;
}

// The grid in which `owner`'s axis alone is cut, into as many parts for each thread; nothing where that axis
// is too short for all threads, or the other one too long to be taken in one go.
inline std::optional<Grid> choose_owned_grid(int64_t m, int64_t n, int64_t k, GemmOwner owner,
                                             int64_t tile_columns, int64_t tile_rows) {
    if (owner == GemmOwner::none || gemm_runs_inline(m, n, k)) return std::nullopt;
    const bool by_rows = owner == GemmOwner::rows;
    const int64_t threads = thread_count(), shared = by_rows ? n : m;
    const int64_t tiles = by_rows ? m / tile_rows : n / tile_columns;
    if (shared > gemm_tuning::owned_other || tiles < threads) return std::nullopt;
    const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    const double wanted = work / (gemm_tuning::owned_task_work * static_cast<double>(threads));
    const int64_t per_thread =
        std::min(std::max<int64_t>(1, static_cast<int64_t>(std::min(wanted, 1e6))), tiles / threads);
    const int64_t parts = threads * per_thread;
    return by_rows ? Grid{parts, 1} : Grid{1, parts};
}

// The axis that the threads divide, in a product as it is made: turned or not.
inline GemmOwner owner_of(const GemmExtras& extras, bool turned) {
    if (!turned || extras.owner == GemmOwner::none) return extras.owner;
    return extras.owner == GemmOwner::rows ? GemmOwner::columns : GemmOwner::rows;
}

// The region of C that `multiply` makes in one task, then what is left to do for it. A product is made as it
// is cut: turned, its rows are C's columns.
template <class Multiply>
void multiply_by_regions(int64_t m, int64_t n, const Grid& grid, int64_t tile_columns, bool turned,
                         const GemmExtras& extras, const Multiply& multiply) {
    const int64_t tiles = divide_up(n, tile_columns);
    parallel_for(grid.rows * grid.columns, [&](int64_t task) {
        const Range rows = part_of(m, grid.rows, task / grid.columns);
        const Range panels = part_of(tiles, grid.columns, task % grid.columns);
        const Range columns{panels.begin * tile_columns, std::min(n, panels.end * tile_columns)};
        if (rows.size() == 0 || columns.size() <= 0) return;
        multiply(rows, columns);
        if (extras.finish == nullptr) return;
        extras.finish(extras.context, turned ? columns : rows, turned ? rows : columns);
    });
}

}  // namespace nativegrad::cpu
