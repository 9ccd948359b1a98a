// Micro-kernel of all three passes of a convolution. It reads the image where it lies: the rows of the left
// matrix are pointers into the (padded) image, the steps of the sum are offsets that all of them share.
#pragma once

#include <cstdint>

#include "cpu/kernels/conv/depthwise_kernels.h"
#include "cpu/kernels/conv/winograd_kernels.h"

namespace nativegrad::cpu {

constexpr int64_t conv_max_rows = 16;

// out[i][j] (+)= bias[j] + sum over runs and steps of rows[i][run_offsets[run] + step * run_step] * b[.., j]
template <class T>
struct ConvTile {
    const T* rows[conv_max_rows];  // row_count of them
    T* out[conv_max_rows];         // row_count of them, each `cols` long
    int64_t row_count, cols;       // <= mr, <= nr
    int64_t row_step;              // rows[i] = rows[0] + i * row_step for all; 0 where that is not so
    const int64_t* run_offsets;
    int64_t runs, run_length, run_step;
    const T* b;      // one row of nr readable elements a step
    int64_t b_step;  // from one row to the next
    const T* bias;   // nr elements, or null
    bool accumulate;
};

// The distance of rows[0], ..., rows[count - 1] where it is the same between all neighbours, else 0.
template <class T>
int64_t even_step(const T* const* rows, int64_t count) {
    if (count < 2) return 0;
    const int64_t step = rows[1] - rows[0];
    for (int64_t i = 2; i < count; ++i) {
        if (rows[i] - rows[i - 1] != step) return 0;
    }
    return step;
}

template <class T>
struct ConvMicroKernel {
    int64_t mr, nr;
    void (*of_rows[conv_max_rows + 1])(const ConvTile<T>& tile);  // by row_count, 1 to mr

    void run(const ConvTile<T>& tile) const { of_rows[tile.row_count](tile); }
};

// Rows of pixels where each output is a sum of few products, as of a 3 x 3 kernel on one channel: the weights
// stay in registers.
// out[r out_row + p out_step + j] = bias[j] + sum over k of x[r x_row + p x_step + offsets[k]] b[k nr + j]
constexpr int64_t conv_few_taps = 9;

template <class T>
struct ConvFewTaps {
    int64_t rows, pixels;
    const T* x;
    int64_t x_row, x_step;
    const int64_t* offsets;  // conv_few_taps of them
    const T *b, *bias;       // nr elements a row; bias may be null
    T* out;
    int64_t out_row, out_step;
};

struct ConvKernels {
    ConvMicroKernel<float> f32;
    void (*few_taps)(const ConvFewTaps<float>& work);
    ConvMicroKernel<double> f64;
    WinogradKernels winograd;
    DepthwiseKernels depthwise;
};

}  // namespace nativegrad::cpu
