// A row of pixels of a depthwise convolution: every channel has its own taps, channels lie side by side.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct DepthwiseRow {
    int64_t pixels, channels, taps;
    const float* x;
    int64_t x_step;          // from one pixel's first tap to the next one's
    const int64_t* offsets;  // of the taps, from there
};

struct DepthwiseKernels {
    // weights [taps, channels], bias [channels] or null -> out [pixels, channels] at (out_step, 1)
    void (*forward)(const DepthwiseRow& row, const float* weights, const float* bias, float* out,
                    int64_t out_step);
    // dy [pixels, channels] -> dw [taps, channels], added to what is there
    void (*gradient)(const DepthwiseRow& row, const float* dy, float* dw);
};

}  // namespace nativegrad::cpu
