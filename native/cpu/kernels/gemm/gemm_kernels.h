// Kernels of the matrix product, for one element type and instruction set.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

constexpr int32_t gemm_most_vectors = 4;
constexpr int32_t gemm_most_rows = 14;

template <class T>
struct GemmKernels {
    // a [rows, k] at (a_row, a_step), b [k, columns] at (b_step, 1) -> c [rows, columns] at (c_row, 1), added
    // to what c holds if `accumulate`. The columns fill whole vectors but for the last, which has last_lanes.
    // Each element is one chain of multiply-adds over k, whatever the tile.
    using Micro = void (*)(int64_t k, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t b_step,
                           T* c, int64_t c_row, int64_t last_lanes, bool accumulate);

    int64_t width;                             // lanes of a vector
    int64_t tile_rows[gemm_most_vectors + 1];  // rows of the largest tile that is that many vectors wide
    Micro micro[gemm_most_vectors + 1][gemm_most_rows + 1];

    // from [rows, columns] at (from_row, 1) -> to [columns, rows] at (to_row, 1)
    void (*transpose)(const T* from, int64_t from_row, int64_t rows, int64_t columns, T* to, int64_t to_row);
};

}  // namespace nativegrad::cpu
