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
    int64_t row_step;              // rows[i] = rows[0] + i * row_step for all mr; 0 where that is not so
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
    const int64_t step = rows[1] - rows[0];
    for (int64_t i = 2; i < count; ++i) {
        if (rows[i] - rows[i - 1] != step) return 0;
    }
    return step;
}

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
