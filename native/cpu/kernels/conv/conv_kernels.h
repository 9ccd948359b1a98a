// Micro-kernel of all three passes of a convolution. It reads the image where it lies: the rows of the left
// matrix are pointers into the (padded) image, the steps of the sum are offsets that all of them share.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

constexpr int64_t conv_max_rows = 16;

// out[i][j] (+)= bias[j] + sum over runs and steps of rows[i][run_offsets[run] + step * run_step] * b[.., j]
template <class T>
struct ConvTile {
    const T* rows[conv_max_rows];  // mr of them; past row_count any readable ones
    T* out[conv_max_rows];         // row_count of them, each `cols` long
    int64_t row_count, cols;       // <= mr, <= nr
    const int64_t* run_offsets;
    int64_t runs, run_length, run_step;
    const T* b;      // one row of nr readable elements a step
    int64_t b_step;  // from one row to the next
    const T* bias;   // nr elements, or null
    bool accumulate;
};

template <class T>
struct ConvMicroKernel {
    int64_t mr, nr;
    void (*run)(const ConvTile<T>& tile);
};

struct ConvKernels {
    ConvMicroKernel<float> f32;
    ConvMicroKernel<double> f64;
};

}  // namespace nativegrad::cpu
