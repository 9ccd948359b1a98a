#include <algorithm>
#include <limits>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

// The windows of one output row that have the same taps lie side by side: those that touch no border.
struct PoolPlan {
    int64_t images, channels, height, width, out_height, out_width;
    int64_t kernel[2], stride[2], padding[2], dilation[2];

    PoolPlan(const PoolParams& params, const TensorView& x, const TensorView& y) {
        if (x.rank != 4 || y.rank != 4 || x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1])
            fail("batch or channels differ");
        if (params.kernel.count != 2 || params.stride.count != 2 || params.padding.count != 2 ||
            params.dilation.count != 2)
            fail("expected two values each of kernel, stride, padding and dilation");
        images = x.shape[0];
        channels = x.shape[1];
        height = x.shape[2];
        width = x.shape[3];
        out_height = y.shape[2];
        out_width = y.shape[3];
        for (int axis = 0; axis < 2; ++axis) {
            kernel[axis] = params.kernel.values[axis];
            stride[axis] = params.stride.values[axis];
            padding[axis] = params.padding.values[axis];
            dilation[axis] = params.dilation.values[axis];
            if (kernel[axis] < 1 || stride[axis] < 1 || dilation[axis] < 1 || padding[axis] < 0)
                fail("kernel, stride and dilation must be positive, padding not negative");
            const int64_t last = (y.shape[2 + axis] - 1) * stride[axis] - padding[axis];
            if (y.shape[2 + axis] > 0 && last >= x.shape[2 + axis]) fail("a window lies outside the image");
        }
    }

    int64_t in_size() const { return height * width * channels; }
    int64_t out_size() const { return out_height * out_width * channels; }
    bool overlaps() const {
        for (int axis = 0; axis < 2; ++axis) {
            if ((kernel[axis] - 1) * dilation[axis] + 1 > stride[axis]) return true;
        }
        return false;
    }
    // True where every pixel is in a window, so that nothing is left to fill with zeros.
    bool covers() const {
        return kernel[0] == stride[0] && kernel[1] == stride[1] && dilation[0] == 1 && dilation[1] == 1 &&
               out_height * stride[0] - padding[0] >= height && out_width * stride[1] - padding[1] >= width;
    }

    bool inside(int64_t row, int64_t column) const {
        return row >= 0 && row < height && column >= 0 && column < width;
    }

    // Output columns [first, end) whose windows have all their columns inside the image.
    void inner_columns(int64_t& first, int64_t& end) const {
        first = std::min(out_width, (padding[1] + stride[1] - 1) / stride[1]);
        const int64_t room = width - 1 - (kernel[1] - 1) * dilation[1] + padding[1];
        end = room < 0 ? first : std::max(first, std::min(out_width, room / stride[1] + 1));
    }
};

struct WindowTaps {
    std::vector<int32_t> ids;      // position in the window, row by row
    std::vector<int64_t> offsets;  // in elements of the image

    WindowTaps(const PoolPlan& plan, int64_t out_row, int64_t out_column) {
        for (int64_t i = 0; i < plan.kernel[0]; ++i) {
            for (int64_t j = 0; j < plan.kernel[1]; ++j) {
                const int64_t row = out_row * plan.stride[0] - plan.padding[0] + i * plan.dilation[0];
                const int64_t column = out_column * plan.stride[1] - plan.padding[1] + j * plan.dilation[1];
                if (!plan.inside(row, column)) continue;
                ids.push_back(static_cast<int32_t>(i * plan.kernel[1] + j));
                offsets.push_back((row * plan.width + column) * plan.channels);
            }
        }
    }

    int64_t count() const { return static_cast<int64_t>(ids.size()); }
    template <class T>
    void point(T* image, std::vector<T*>& pointers) const {
        pointers.clear();
        for (const int64_t offset : offsets) pointers.push_back(image + offset);
    }
};

// Windows with equal taps, `first` the element of the first one in the output; the same for every image.
struct WindowGroup {
    WindowTaps taps;
    int64_t first, windows;
};

std::vector<WindowGroup> window_groups(const PoolPlan& plan) {
    std::vector<WindowGroup> groups;
    int64_t first, end;
    plan.inner_columns(first, end);
    for (int64_t row = 0; row < plan.out_height; ++row) {
        for (int64_t column = 0; column < plan.out_width;) {
            const int64_t count = column >= first && column < end ? end - column : 1;
            groups.push_back(
                {WindowTaps(plan, row, column), (row * plan.out_width + column) * plan.channels, count});
            column += count;
        }
    }
    return groups;
}

// Several windows with equal taps: window p reads taps[k][p * step + channel].
struct WindowRun {
    const WindowTaps& taps;
    int64_t windows, step, channels;
};

template <class T, class Index>
void pool_max(const WindowRun& run, const T* const* taps, T* y, Index* index) {
    if (run.taps.count() == 0) {
        // A dilated window that sees nothing but padding.
        std::fill(y, y + run.windows * run.channels, -std::numeric_limits<T>::infinity());
        std::fill(index, index + run.windows * run.channels, Index(0));
        return;
    }
    if constexpr (std::is_same_v<T, float> && std::is_same_v<Index, uint8_t>) {
        kernels().pool.max(taps, run.taps.ids.data(), run.taps.count(), run.windows, run.step, run.channels,
                           y, index);
        return;
    }
    for (int64_t p = 0; p < run.windows; ++p) {
        for (int64_t c = 0; c < run.channels; ++c) {
            const int64_t at = p * run.step + c;
            T best = taps[0][at];
            int32_t found = run.taps.ids[0];
            for (int64_t k = 1; k < run.taps.count(); ++k) {
                const T x = taps[k][at];
                if (!(x > best || x != x)) continue;
                best = x;
                found = run.taps.ids[static_cast<size_t>(k)];
            }
            y[p * run.channels + c] = best;
            index[p * run.channels + c] = static_cast<Index>(found);
        }
    }
}

template <class T, class Index>
void pool_max_backward(const WindowRun& run, const T* dy, const Index* index, T* const* taps,
                       bool accumulate) {
    if constexpr (std::is_same_v<T, float> && std::is_same_v<Index, uint8_t>) {
        kernels().pool.max_backward(dy, index, run.taps.ids.data(), run.taps.count(), run.windows, run.step,
                                    run.channels, taps, accumulate);
        return;
    }
    for (int64_t p = 0; p < run.windows; ++p) {
        for (int64_t c = 0; c < run.channels; ++c) {
            const int64_t at = p * run.step + c, from = p * run.channels + c;
            for (int64_t k = 0; k < run.taps.count(); ++k) {
                const T share = index[from] == run.taps.ids[static_cast<size_t>(k)] ? dy[from] : T(0);
                taps[k][at] = accumulate ? taps[k][at] + share : share;
            }
        }
    }
}

void check_index(const TensorView& index, const TensorView& y) {
    TensorView dense = y;
    set_channels_last_strides(dense);
    bool same = index.rank == y.rank && (index.dtype == DType::uint8 || index.dtype == DType::int32);
    for (int32_t axis = 0; same && axis < y.rank; ++axis) same = index.shape[axis] == y.shape[axis];
    if (!same || !same_strides(index, dense)) fail("the index must be uint8 or int32, channels last");
}

// Calls body with a pointer of the index's type.
template <class Body>
void with_index(const TensorView& index, const Body& body) {
    if (index.dtype == DType::uint8) return body(static_cast<uint8_t*>(index.data));
    body(static_cast<int32_t*>(index.data));
}

}  // namespace

// x [N, C, H, W] -> y [N, C, H', W'], index [N, C, H', W']: position of the maximum in its window, row by
// row, uint8 where that fits, else int32
void max_pool2d(const OpCall& call, const PoolParams& params) {
    expect_operands(call, 1, 2);
    const TensorView &x = call.inputs[0], &y = call.outputs[0], &index = call.outputs[1];
    const PoolPlan plan(params, x, y);
    check_index(index, y);
    if (element_count(y) == 0) return;
    const std::vector<WindowGroup> groups = window_groups(plan);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseInput<T> image(x);
        const DenseOutput<T> out(y);
        with_index(index, [&](auto* found) {
            parallel_for(plan.images, [&](int64_t n) {
                std::vector<const T*> taps;
                for (const WindowGroup& group : groups) {
                    const int64_t to = n * plan.out_size() + group.first;
                    group.taps.point(image.data() + n * plan.in_size(), taps);
                    pool_max({group.taps, group.windows, plan.stride[1] * plan.channels, plan.channels},
                             taps.data(), out.data() + to, found + to);
                }
            });
        });
        out.finish();
    });
}

// dy [N, C, H', W'], index [N, C, H', W'] -> dx [N, C, H, W]
void max_pool2d_backward(const OpCall& call, const PoolParams& params) {
    expect_operands(call, 2, 1);
    const TensorView &dy = call.inputs[0], &index = call.inputs[1], &dx = call.outputs[0];
    const PoolPlan plan(params, dx, dy);
    check_index(index, dy);
    if (element_count(dx) == 0) return;
    const std::vector<WindowGroup> groups = window_groups(plan);
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseInput<T> gradient(dy);
        const DenseOutput<T> out(dx);
        const bool accumulate = plan.overlaps(), fill = accumulate || !plan.covers();
        with_index(index, [&](auto* found) {
            parallel_for(plan.images, [&](int64_t n) {
                T* image = out.data() + n * plan.in_size();
                if (fill) std::fill_n(image, plan.in_size(), T(0));
                std::vector<T*> taps;
                for (const WindowGroup& group : groups) {
                    const int64_t from = n * plan.out_size() + group.first;
                    group.taps.point(image, taps);
                    pool_max_backward<T>(
                        {group.taps, group.windows, plan.stride[1] * plan.channels, plan.channels},
                        gradient.data() + from, found + from, taps.data(), accumulate);
                }
            });
        });
        out.finish();
    });
}

}  // namespace nativegrad::cpu
