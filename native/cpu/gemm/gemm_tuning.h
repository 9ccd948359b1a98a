// Numbers of the matrix product that were found by measuring (Zen 4, see bench/NOTES.md); the depths of a
// chain of sums (k_block, bf16_k_block) are part of the result, the others are not.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/kernels/gemm/gemm_kernels.h"

namespace nativegrad::cpu::gemm_tuning {

// Products per chain, at most: a panel of B stays in the first two caches, and long sums lose fewer bits.
constexpr int64_t k_block = 512;

// Products per chain of a sum of k, never 0: nearly equal blocks.
inline int64_t block_depth(int64_t k) {
    const int64_t blocks = std::max<int64_t>((k + k_block - 1) / k_block, 1);
    return std::max<int64_t>(((k + blocks - 1) / blocks + 15) / 16 * 16, 16);
}
static_assert(k_block % 16 == 0, "a rounded depth is at most a block");

// Rows of A that are packed at a time: with k_block columns they take a third of the second-level cache.
constexpr int64_t row_block = 252;
constexpr int64_t column_block = 1024;

// Products whose B and C outgrow the second-level cache share one packed copy of B: so many of its elements
// at a time, and so many rows of A to a task.
constexpr int64_t packed_elements = int64_t{1} << 21;
constexpr int64_t blocked_rows = 256;
inline bool is_blocked(int64_t m, int64_t n, int64_t k) {
    return m >= 128 && n >= 128 && k >= 128 && m * n > (int64_t{1} << 17) && k * n > 160'000;
}

// For bfloat16: as many bytes along k, and more rows, since packing B weighs twice as much.
constexpr int64_t bf16_k_block = 768;
constexpr int64_t bf16_row_block = 392;
static_assert(bf16_k_block % 2 == 0, "blocks hold whole pairs");

// Multiply-adds below which a fork costs more than it gains, and of one task above.
constexpr int64_t inline_work = 400'000;
constexpr int64_t task_work = 2'000'000;
constexpr int64_t tasks_per_thread = 4;

// Where each thread keeps to its own part of one axis of C: multiply-adds of one part, and how long the other
// axis may be.
constexpr double owned_task_work = 8'000'000;
constexpr int64_t owned_other = 1024;

// Cycles to pack or transpose a vector, when a multiply-add of one takes 1.
constexpr int64_t transpose_cost = 6;
constexpr int64_t interleave_cost = 3;

// Packing the rows of A pays where their stride puts them all into one set of the first-level cache.
inline bool packs_rows(int64_t n, int64_t row_stride_bytes, int64_t step_stride_bytes) {
    return n >= 128 && row_stride_bytes != 0 && row_stride_bytes % 4096 == 0 && step_stride_bytes < 4096;
}

// Packing the columns of B, where their rows are contiguous, pays where B outgrows the second-level cache.
inline bool packs_columns(int64_t m, int64_t n, int64_t k, int64_t step_stride_bytes, int64_t element_bytes) {
    return m >= 64 &&
           (k * n * element_bytes > (int64_t{1} << 20) || (step_stride_bytes % 4096 == 0 && k >= 64));
}

// Vectors of columns in a tile for a product of that many rows and vectors of columns.
template <class Kernels>
int32_t tile_vectors(const Kernels& kernels, int64_t rows, int64_t vectors) {
    if (vectors == 1) return 1;
    if (vectors >= 4 && rows <= kernels.tile_rows[4]) return 4;
    if (vectors == 3 || (vectors > 3 && rows <= kernels.tile_rows[3])) return 3;
    return 2;
}

}  // namespace nativegrad::cpu::gemm_tuning
