// Batch normalisation, relu and max-pooling of 2 x 2 windows as one sweep: what lies between them is never
// written.
#include <limits>

#include "cpu/cpu_backend.h"
#include "cpu/ops/channel_norm.h"

namespace nativegrad::cpu {

namespace {

// The sweeps over one row of windows in plain loops, for double.
struct DoubleWindows {
    static int64_t tap(const WindowRow& row, int64_t k) {
        return k / 2 * row.pixel_row + k % 2 * row.channels;
    }
    // body(window's first element in x, its element in y, channel)
    template <class Body>
    static void each(const WindowRow& row, const Body& body) {
        for (int64_t p = 0; p < row.windows; ++p) {
            for (int64_t j = 0; j < row.channels; ++j)
                body(p * 2 * row.channels + j, p * row.channels + j, j);
        }
    }
    static void forward(const double* x, const WindowRow& row, const double* mean, const double* scale,
                        const double* shift, double* y, uint8_t* index) {
        each(row, [=](int64_t window, int64_t at, int64_t j) {
            double best = -std::numeric_limits<double>::infinity();
            for (uint8_t k = 0; k < 4; ++k) {
                double value = (x[window + tap(row, k)] - mean[j]) * scale[j] + shift[j];
                if (value <= 0) value = 0;
                if (!(value > best || value != value)) continue;
                best = value;
                index[at] = k;
            }
            y[at] = best;
        });
    }
    static void products(const double* dy, const double* y, const uint8_t* index, const double* x,
                         const WindowRow& row, const double* mean, double* sum, double* product) {
        each(row, [=](int64_t window, int64_t at, int64_t j) {
            const double g = DoubleSweeps::masked(dy, y, at);
            sum[j] += g;
            product[j] += g * (x[window + tap(row, index[at])] - mean[j]);
        });
    }
    static void backward(const double* dy, const double* y, const uint8_t* index, const double* x,
                         const WindowRow& row, const double* mean, const double* sum, const double* product,
                         const double* scale, double* dx) {
        each(row, [=](int64_t window, int64_t at, int64_t j) {
            for (int64_t k = 0; k < 4; ++k) {
                const double g = index[at] == k ? DoubleSweeps::masked(dy, y, at) : 0.0;
                const int64_t pixel = window + tap(row, k);
                dx[pixel] = (g - sum[j] - (x[pixel] - mean[j]) * product[j]) * scale[j];
            }
        });
    }
};

struct FloatWindows {
    template <class... Arguments>
    static void forward(Arguments... arguments) {
        kernels().norm.normalize_pool(arguments...);
    }
    template <class... Arguments>
    static void products(Arguments... arguments) {
        kernels().norm.pool_products(arguments...);
    }
    template <class... Arguments>
    static void backward(Arguments... arguments) {
        kernels().norm.normalize_pool_backward(arguments...);
    }
};

template <class T>
using WindowsOf = std::conditional_t<std::is_same_v<T, float>, FloatWindows, DoubleWindows>;

// Rows of windows, a few to a chunk. An odd last row or column of pixels is in no window.
struct WindowPlan {
    int64_t width, rows, pooled_rows, channels, strips, strips_per_chunk, chunks;
    WindowRow row;

    WindowPlan(const TensorView& x, const TensorView& y)
        : width(x.shape[3]), rows(x.shape[2]), pooled_rows(x.shape[2] / 2), channels(x.shape[1]) {
        if (x.rank != 4 || y.rank != 4 || y.shape[0] != x.shape[0] || y.shape[1] != channels ||
            y.shape[2] != pooled_rows || y.shape[3] != width / 2)
            fail("expects [N, C, H, W] and pooled [N, C, H / 2, W / 2]");
        row = {width / 2, channels, width * channels};
        strips = x.shape[0] * ((rows + 1) / 2);
        strips_per_chunk = std::max<int64_t>(16384 / std::max<int64_t>(2 * width * channels, 1), 1);
        chunks = (strips + strips_per_chunk - 1) / strips_per_chunk;
    }

    int64_t pooled_row() const { return row.windows * channels; }

    // body(chunk, first element of the two rows of pixels, first element of the row of windows, rows of
    // pixels)
    template <class Body>
    void each(const Body& body) const {
        parallel_for(chunks, [&](int64_t chunk) {
            const int64_t end = std::min(strips, (chunk + 1) * strips_per_chunk), per_image = (rows + 1) / 2;
            for (int64_t strip = chunk * strips_per_chunk; strip < end; ++strip) {
                const int64_t image = strip / per_image, r = strip % per_image;
                body(chunk, (image * rows + 2 * r) * row.pixel_row,
                     (image * pooled_rows + r) * row.windows * channels, std::min<int64_t>(2, rows - 2 * r));
            }
        });
    }
};

void check_index(const TensorView& index, const TensorView& y) {
    const bool same = index.rank == 4 && index.dtype == DType::uint8 && index.shape[0] == y.shape[0] &&
                      index.shape[1] == y.shape[1] && index.shape[2] == y.shape[2] &&
                      index.shape[3] == y.shape[3];
    if (!same || !same_strides(index, channels_last_like<float>(y, nullptr)))
        fail("the index must be uint8, channels last, of the pooled shape");
}

}  // namespace

// x [N, C, H, W], (weight [C], bias [C] if affine), (two statistics [C] each, as batch_norm)
// -> y [N, C, H / 2, W / 2], index [N, C, H / 2, W / 2] uint8, mean [C], 1 / standard deviation [C] (,
// running mean, running variance: written in place); as max_pool2d(max(0, batch_norm(x))) of 2 x 2 windows
void batch_norm_relu_pool(const OpCall& call, const BatchNormParams& params) {
    const NormCall norm(call, params, 2);
    const TensorView &x = call.inputs[0], &y = call.outputs[0], &index = call.outputs[1];
    const WindowPlan plan(x, y);
    check_index(index, y);
    const Chunks chunks(x);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseReader<T> input(x);
        const DenseWriter<T> output(y);
        auto* found = static_cast<uint8_t*>(index.data);
        const ChannelFactors<T> factors = take_statistics(norm, input, chunks);
        const int64_t count = 2 * plan.row.pixel_row, pooled = plan.pooled_row();
        plan.each([&](int64_t, int64_t pixels, int64_t windows, int64_t rows) {
            if (rows < 2) return;
            Stretch<T> x_room(input.room(count)), y_room(output.room(pooled));
            T* made = output.place(windows, y_room);
            WindowsOf<T>::forward(input.read(pixels, count, x_room), plan.row, factors.mean.data(),
                                  factors.scale.data(), factors.shift.data(), made, found + windows);
            output.write(windows, pooled, made);
        });
        output.finish();
    });
}

// dy, y, index [N, C, H / 2, W / 2], x [N, C, H, W], mean [C], 1 / standard deviation [C] (, weight [C] if
// affine) -> dx [N, C, H, W], dweight [C], dbias [C]
// as batch_norm_backward of what max_pool2d_backward and relu's backward make of dy
void batch_norm_relu_pool_backward(const OpCall& call, const BatchNormParams& params) {
    const bool affine = params.affine != 0;
    expect_operands(call, affine ? 7 : 6, 3);
    const TensorView &dy = call.inputs[0], &y = call.inputs[1], &index = call.inputs[2], &x = call.inputs[3],
                     &dx = call.outputs[0];
    const WindowPlan plan(x, y);
    check_index(index, y);
    check_same_shape(dy, y);
    check_same_shape(dx, x);
    const int64_t n = plan.channels;
    check_vectors(call.inputs + 4, call.input_count - 4, n);
    check_vectors(call.outputs + 1, 2, n);
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseReader<T> gradient(dy), result(y), input(x);
        const DenseWriter<T> output(dx);
        const DenseVector<T> mean(call.inputs + 4, n, T(0)), inverse(call.inputs + 5, n, T(1)),
            weight(affine ? call.inputs + 6 : nullptr, n, T(1));
        const auto* found = static_cast<const uint8_t*>(index.data);
        const int64_t line = plan.row.pixel_row, pooled = plan.pooled_row();
        WorkBuffer<T> partial(2 * plan.chunks * n), nothing(line);
        std::fill_n(partial.data(), 2 * plan.chunks * n, T(0));
        std::fill_n(nothing.data(), line, T(0));
        // body(dy, y) of a row of windows
        const auto with_windows = [&](int64_t at, const auto& body) {
            Stretch<T> dy_room(gradient.room(pooled)), y_room(result.room(pooled));
            body(gradient.read(at, pooled, dy_room), result.read(at, pooled, y_room));
        };
        plan.each([&](int64_t chunk, int64_t pixels, int64_t windows, int64_t rows) {
            if (rows < 2) return;
            T* to = partial.data() + 2 * chunk * n;
            Stretch<T> room(input.room(2 * line));
            const T* from = input.read(pixels, 2 * line, room);
            with_windows(windows, [&](const T* g, const T* made) {
                WindowsOf<T>::products(g, made, found + windows, from, plan.row, mean.data(), to, to + n);
            });
        });
        const int64_t count = n == 0 ? 0 : element_count(x) / n;
        const BackwardFactors<T> factors(call, params.training != 0, partial.data(), plan.chunks, count,
                                         inverse, weight, n);
        // Pixels in no window get no gradient of their own.
        const auto outside = [&](const T* from, int64_t pixels, T* to) {
            SweepsOf<T>::normalize_backward(nothing.data(), nullptr, from, mean.data(), factors.sum.data(),
                                            factors.product.data(), factors.scale.data(), pixels, n, to);
        };
        plan.each([&](int64_t, int64_t pixels, int64_t windows, int64_t rows) {
            Stretch<T> x_room(input.room(rows * line)), dx_room(output.room(rows * line));
            const T* from = input.read(pixels, rows * line, x_room);
            T* to = output.place(pixels, dx_room);
            if (rows < 2) {
                outside(from, plan.width, to);
            } else {
                with_windows(windows, [&](const T* g, const T* made) {
                    WindowsOf<T>::backward(g, made, found + windows, from, plan.row, mean.data(),
                                           factors.sum.data(), factors.product.data(), factors.scale.data(),
                                           to);
                });
                for (int64_t r = 1; plan.width % 2 != 0 && r <= rows; ++r)
                    outside(from + r * line - n, 1, to + r * line - n);
            }
            output.write(pixels, rows * line, to);
        });
        output.finish();
    });
}

}  // namespace nativegrad::cpu
