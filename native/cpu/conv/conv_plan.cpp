#include "cpu/conv/conv_plan.h"

#include <algorithm>

#include "backend/error.h"
#include "tensor/half.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t longest_side = INT32_MAX;  // keeps products of a few such numbers within 64 bits
constexpr int64_t band_elements = 65536;     // a padded band stays in the second-level cache

int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

int64_t modulo(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }

void check_params(const ConvParams& params) {
    if (params.stride.count != 2 || params.dilation.count != 2 || params.padding.count != 4)
        fail("expected 2 strides, 2 dilations and 4 paddings");
    for (int i = 0; i < 2; ++i) {
        for (const int64_t value : {params.stride.values[i], params.dilation.values[i]}) {
            if (value < 1 || value > longest_side) fail("strides and dilations must be in [1, 2^31)");
        }
    }
    for (int i = 0; i < 4; ++i) {
        if (params.padding.values[i] < 0 || params.padding.values[i] > longest_side)
            fail("paddings must be in [0, 2^31)");
    }
    if (params.groups < 1) fail("groups must be positive");
}

// image and result of the pass are x and y in forward order
void check_shapes(const ConvParams& params, const TensorView& x, const TensorView& w, const TensorView& y) {
    check_params(params);
    if (x.rank != 4 || w.rank != 4 || y.rank != 4) fail("works on tensors of rank 4");
    if (x.shape[0] != y.shape[0] || w.shape[0] != y.shape[1] || w.shape[1] * params.groups != x.shape[1] ||
        w.shape[0] % params.groups != 0)
        fail("batch or channels differ");
    for (int axis = 0; axis < 2; ++axis) {
        const int64_t reach = (w.shape[2 + axis] - 1) * params.dilation.values[axis] + 1;
        const int64_t padded =
            x.shape[2 + axis] + params.padding.values[2 * axis] + params.padding.values[2 * axis + 1];
        const int64_t needed = (y.shape[2 + axis] - 1) * params.stride.values[axis] + reach;
        if (w.shape[2 + axis] < 1 || y.shape[2 + axis] < 1 || needed > padded)
            fail("the kernel does not fit into the image");
        if (padded > longest_side || reach > longest_side)
            fail("the padded image has 2^31 or more pixels along a side");
    }
}

ConvPlan begin_plan(const ConvParams& params, const TensorView& image, const TensorView& w,
                    const TensorView& out) {
    ConvPlan plan{};
    plan.images = image.shape[0];
    plan.channels = image.shape[1];
    plan.height = image.shape[2];
    plan.width = image.shape[3];
    plan.out_channels = out.shape[1];
    plan.out_height = out.shape[2];
    plan.out_width = out.shape[3];
    plan.groups = params.groups;
    plan.kernel_rows = w.shape[2];
    plan.kernel_columns = w.shape[3];
    return plan;
}

void finish_plan(ConvPlan& plan) {
    int64_t rows = 0;
    plan.extent = 1;
    plan.padded_width = 1;
    for (const ConvPhase& phase : plan.phases) {
        rows = std::max(rows, phase.rows);
        for (const ConvTap& tap : phase.taps) {
            plan.extent = std::max(plan.extent, tap.row + 1);
            plan.padded_width =
                std::max(plan.padded_width, (phase.columns - 1) * plan.in_step[1] + tap.column + 1);
        }
    }
    const int64_t row_elements = std::max<int64_t>(plan.padded_width * plan.channels * plan.in_step[0], 1);
    const int64_t band = std::max<int64_t>(band_elements / row_elements, 1);
    // Even, so that no 2x2 outputs of a Winograd piece fall into two bands.
    plan.band = std::min(rows, band > 1 ? band / 2 * 2 : 1);
}

// One axis of the gradient of the input: which kernel positions meet pixels r, r + s, ..., and which row of
// dy each then reads, relative to the pixel's number in the phase.
struct AxisTap {
    int64_t kernel, offset;
};

std::vector<AxisTap> axis_taps(int64_t remainder, int64_t stride, int64_t before, int64_t dilation,
                               int64_t kernel) {
    std::vector<AxisTap> taps;
    for (int64_t k = kernel - 1; k >= 0; --k) {
        const int64_t reach = remainder + before - k * dilation;
        if (modulo(reach, stride) == 0) taps.push_back({k, floor_div(reach, stride)});
    }
    return taps;
}

}  // namespace

int64_t ConvPlan::bands() const {
    int64_t rows = 0;
    for (const ConvPhase& phase : phases) rows = std::max(rows, phase.rows);
    return band == 0 ? 0 : (rows + band - 1) / band;
}

ConvPlan plan_forward(const ConvParams& params, const TensorView& x, const TensorView& w,
                      const TensorView& y) {
    check_shapes(params, x, w, y);
    ConvPlan plan = begin_plan(params, x, w, y);
    plan.top = params.padding.values[0];
    plan.left = params.padding.values[2];
    for (int axis = 0; axis < 2; ++axis) {
        plan.in_step[axis] = params.stride.values[axis];
        plan.out_step[axis] = 1;
    }
    ConvPhase phase{plan.out_height, plan.out_width, 0, 0, {}};
    for (int64_t i = 0; i < plan.kernel_rows; ++i) {
        for (int64_t j = 0; j < plan.kernel_columns; ++j)
            phase.taps.push_back({i, j, i * params.dilation.values[0], j * params.dilation.values[1]});
    }
    plan.phases.push_back(std::move(phase));
    finish_plan(plan);
    return plan;
}

ConvPlan plan_backward_input(const ConvParams& params, const TensorView& dy, const TensorView& w,
                             const TensorView& dx) {
    check_shapes(params, dx, w, dy);
    ConvPlan plan = begin_plan(params, dy, w, dx);
    plan.in_step[0] = plan.in_step[1] = 1;
    std::vector<std::vector<AxisTap>> taps[2];
    int64_t margin[2] = {0, 0};
    for (int axis = 0; axis < 2; ++axis) {
        const int64_t stride = params.stride.values[axis];
        plan.out_step[axis] = stride;
        for (int64_t remainder = 0; remainder < stride; ++remainder) {
            taps[axis].push_back(axis_taps(remainder, stride, params.padding.values[2 * axis],
                                           params.dilation.values[axis], w.shape[2 + axis]));
            for (const AxisTap& tap : taps[axis].back()) margin[axis] = std::max(margin[axis], -tap.offset);
        }
    }
    plan.top = margin[0];
    plan.left = margin[1];
    for (int64_t r = 0; r < plan.out_step[0]; ++r) {
        for (int64_t c = 0; c < plan.out_step[1]; ++c) {
            ConvPhase phase{(plan.out_height - r + plan.out_step[0] - 1) / plan.out_step[0],
                            (plan.out_width - c + plan.out_step[1] - 1) / plan.out_step[1],
                            r,
                            c,
                            {}};
            if (phase.rows <= 0 || phase.columns <= 0) continue;
            for (const AxisTap& i : taps[0][static_cast<size_t>(r)]) {
                for (const AxisTap& j : taps[1][static_cast<size_t>(c)])
                    phase.taps.push_back({i.kernel, j.kernel, i.offset + margin[0], j.offset + margin[1]});
            }
            plan.phases.push_back(std::move(phase));
        }
    }
    finish_plan(plan);
    return plan;
}

template <class T>
void load_padded(const ConvPlan& plan, const T* image, int64_t first, int64_t count, T* to) {
    const int64_t row_elements = plan.padded_width * plan.channels;
    const int64_t left = std::min(plan.left, plan.padded_width) * plan.channels;
    const int64_t copied =
        std::max<int64_t>(std::min(plan.width, plan.padded_width - plan.left), 0) * plan.channels;
    for (int64_t r = 0; r < count; ++r, to += row_elements) {
        const int64_t row = first + r - plan.top;
        if (row < 0 || row >= plan.height) {
            std::fill(to, to + row_elements, T{});
            continue;
        }
        std::fill(to, to + left, T{});
        std::copy_n(image + row * plan.width * plan.channels, copied, to + left);
        std::fill(to + left + copied, to + row_elements, T{});
    }
}

template void load_padded(const ConvPlan&, const float*, int64_t, int64_t, float*);
template void load_padded(const ConvPlan&, const double*, int64_t, int64_t, double*);
template void load_padded(const ConvPlan&, const BFloat16*, int64_t, int64_t, BFloat16*);

}  // namespace nativegrad::cpu
