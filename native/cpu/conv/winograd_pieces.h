// How the outputs of a convolution fall into the pieces of Winograd's F(2x2, 3x3).
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/conv/conv_plan.h"
#include "cpu/gemm/gemm_grid.h"
#include "cpu/kernel_table.h"

namespace nativegrad::cpu {

// Rows of pieces are worked on a few at a time, so that all that they become stays in the second-level cache.
struct WinogradPieces {
    const ConvPlan& plan;
    int64_t across;  // pieces to a row

    explicit WinogradPieces(const ConvPlan& plan) : plan(plan), across(divide_up(plan.out_width, 2)) {}

    // Transforms the pieces of `count` rows of them, from output row `row` on.
    void load(const float* image, int64_t row, int64_t count, float* to, int64_t plane) const {
        for (int64_t i = 0; i < count; ++i, row += 2) {
            const float* rows[4];
            for (int64_t r = 0; r < 4; ++r) {
                const int64_t at = row + r - plan.top;
                rows[r] = at >= 0 && at < plan.height ? image + at * plan.width * plan.channels : nullptr;
            }
            kernels().conv.winograd.image(rows, -plan.left, plan.width, plan.channels, across,
                                          to + i * across * plan.channels, plane);
        }
    }

    // Transforms the gradient of the same outputs, of the image's `dy`.
    void load_gradient(const float* dy, int64_t row, int64_t count, float* to, int64_t plane) const {
        const int64_t line = plan.out_width * plan.out_channels;
        for (int64_t i = 0; i < count; ++i, row += 2) {
            const float* rows[2] = {dy + row * line,
                                    row + 1 < plan.out_height ? dy + (row + 1) * line : nullptr};
            kernels().conv.winograd.gradient(rows, plan.out_width, plan.out_channels, across,
                                             to + i * across * plan.out_channels, plane);
        }
    }
};

// a [rows, k] at (a_row, a_step), b [k, columns] -> c [rows, columns], each element one chain over k
inline void multiply_element(int64_t rows, int64_t columns, int64_t k, const float* a, int64_t a_row,
                             int64_t a_step, const float* b, float* c, bool accumulate) {
    const GemmKernels<float>& gemm = kernels().gemm_f32;
    const int64_t width = gemm.width, vectors = std::min<int64_t>(columns / width, 2);
    const int64_t tiles = divide_up(rows, gemm.tile_rows[vectors]);
    for (int64_t j = 0; j < columns; j += vectors * width) {
        const int64_t count = std::min(vectors, (columns - j) / width);
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const Range part = part_of(rows, tiles, tile);
            gemm.micro[count][part.size()](k, a + part.begin * a_row, a_row, a_step, b + j, columns,
                                           c + part.begin * columns + j, columns, width, accumulate);
        }
    }
}

}  // namespace nativegrad::cpu
