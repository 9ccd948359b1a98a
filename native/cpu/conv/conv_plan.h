// How a convolution reads its image. Forward is one phase: every output pixel has the same taps. The gradient
// of the input falls, for stride s, into s x s phases: pixels with equal remainders have equal taps, and each
// phase is a convolution of dy with stride 1.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/op_params.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cpu {

struct ConvTap {
    int64_t kernel_row, kernel_column;
    int64_t row, column;  // in the padded image, relative to the output pixel
};

// Output pixel (r, c) of the phase is pixel (out_row + r * out_step, out_column + c * out_step) of the
// output.
struct ConvPhase {
    int64_t rows, columns, out_row, out_column;
    std::vector<ConvTap> taps;  // by row, then column
};

struct ConvPlan {
    int64_t images, height, width, channels;  // of what is read
    int64_t out_height, out_width, out_channels;
    int64_t groups, kernel_rows, kernel_columns;
    int64_t top, left;     // margin of zeros
    int64_t padded_width;  // with margins
    int64_t extent;        // padded rows that one row of output reaches
    int64_t in_step[2], out_step[2];
    std::vector<ConvPhase> phases;
    int64_t band;  // output rows (of a phase) computed from one padded buffer

    int64_t bands() const;
    int64_t group_channels() const { return channels / groups; }
    int64_t group_out_channels() const { return out_channels / groups; }
    // Rows of the padded buffer of a band.
    int64_t band_rows() const { return band > 0 ? (band - 1) * in_step[0] + extent : 0; }
};

// x [N, C, H, W], w [O, C / groups, kH, kW], y [N, O, H', W']
ConvPlan plan_forward(const ConvParams& params, const TensorView& x, const TensorView& w,
                      const TensorView& y);
// dy [N, O, H', W'], w [O, C / groups, kH, kW], dx [N, C, H, W]
ConvPlan plan_backward_input(const ConvParams& params, const TensorView& dy, const TensorView& w,
                             const TensorView& dx);

// Rows [first, first + count) of the padded image -> to [count, padded_width, channels]
template <class T>
void load_padded(const ConvPlan& plan, const T* image, int64_t first, int64_t count, T* to);

}  // namespace nativegrad::cpu
