// Kernels of the matrix product, for one element type and instruction set.
#pragma once

#include <cstdint>

#include "tensor/half.h"

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
    int32_t blocked_vectors;                   // of a tile in products whose operands are both packed
    Micro micro[gemm_most_vectors + 1][gemm_most_rows + 1];

    // from [rows, columns] at (from_row, 1) -> to [columns, rows] at (to_row, 1)
    void (*transpose)(const T* from, int64_t from_row, int64_t rows, int64_t columns, T* to, int64_t to_row);

    // x [k, lanes] at (k_stride, 1) -> to [k, lanes], fetching lines `ahead` rows early
    void (*pack_lanes)(const T* x, int64_t k_stride, int64_t lanes, int64_t k, int64_t ahead, T* to);
};

// Where a tile of a bfloat16 product starts from and goes to: out = start + product, rounded to bfloat16
// where `rounded` is not null, or where `rounds_sums` is true (and still stored as float32).
struct GemmBf16Target {
    const float* start;  // or null for zeros
    int64_t start_row;   // 0: the same row for all, a bias
    float* sums;
    BFloat16* rounded;
    int64_t row;
    bool rounds_sums;
};

// Products of bfloat16 with sums in float32: each step takes two neighbours along k from either operand.
struct GemmBf16Kernels {
    // a [rows, steps, 2] at (a_row, a_step, 1), b [steps, vectors * width, 2] -> target [rows, columns].
    // Strides count elements; the lanes of the last vector past last_lanes are read but not written.
    using Micro = void (*)(int64_t steps, const BFloat16* a, int64_t a_row, int64_t a_step, const BFloat16* b,
                           const GemmBf16Target& target, int64_t last_lanes);

    int64_t width;  // 0: this processor has no such kernels
    int64_t tile_rows[gemm_most_vectors + 1];
    Micro micro[gemm_most_vectors + 1][gemm_most_rows + 1];

    // x [lanes, k] at (lane_stride, k_stride) -> to [k / 2 rounded up, lanes, 2] at (2 * to_lanes, 2, 1); an
    // odd k is filled up with zeros
    void (*pack_pairs)(const BFloat16* x, int64_t lane_stride, int64_t k_stride, int64_t lanes, int64_t k,
                       BFloat16* to, int64_t to_lanes);
};

}  // namespace nativegrad::cpu
