#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

// The four sweeps over x [rows, n]: vector kernels for float, plain loops for double.
struct FloatSweeps {
    using T = float;
    static void moments(const float* x, int64_t rows, int64_t n, float* mean, float* squares) {
        kernels().norm.column_moments(x, rows, n, mean, squares);
    }
    static void products(const float* dy, const float* x, const float* mean, int64_t rows, int64_t n,
                         float* sum, float* product) {
        kernels().norm.column_products(dy, x, mean, rows, n, sum, product);
    }
    static void normalize(const float* x, const float* mean, const float* scale, const float* shift,
                          int64_t rows, int64_t n, float* y) {
        kernels().norm.normalize_columns(x, mean, scale, shift, rows, n, y);
    }
    static void normalize_backward(const float* dy, const float* x, const float* mean, const float* sum,
                                   const float* product, const float* scale, int64_t rows, int64_t n,
                                   float* dx) {
        kernels().norm.normalize_columns_backward(dy, x, mean, sum, product, scale, rows, n, dx);
    }
};

struct DoubleSweeps {
    using T = double;
    // body(element, column)
    template <class Body>
    static void each(int64_t rows, int64_t n, const Body& body) {
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t j = 0; j < n; ++j) body(r * n + j, j);
        }
    }
    static void moments(const double* x, int64_t rows, int64_t n, double* mean, double* squares) {
        std::fill_n(mean, n, 0.0);
        std::fill_n(squares, n, 0.0);
        each(rows, n, [=](int64_t at, int64_t j) { mean[j] += x[at]; });
        for (int64_t j = 0; j < n; ++j) mean[j] /= static_cast<double>(rows);
        each(rows, n, [=](int64_t at, int64_t j) { squares[j] += (x[at] - mean[j]) * (x[at] - mean[j]); });
    }
    static void products(const double* dy, const double* x, const double* mean, int64_t rows, int64_t n,
                         double* sum, double* product) {
        std::fill_n(sum, n, 0.0);
        std::fill_n(product, n, 0.0);
        each(rows, n, [=](int64_t at, int64_t j) {
            sum[j] += dy[at];
            product[j] += dy[at] * (x[at] - mean[j]);
        });
    }
    static void normalize(const double* x, const double* mean, const double* scale, const double* shift,
                          int64_t rows, int64_t n, double* y) {
        each(rows, n, [=](int64_t at, int64_t j) { y[at] = (x[at] - mean[j]) * scale[j] + shift[j]; });
    }
    static void normalize_backward(const double* dy, const double* x, const double* mean, const double* sum,
                                   const double* product, const double* scale, int64_t rows, int64_t n,
                                   double* dx) {
        each(rows, n, [=](int64_t at, int64_t j) {
            dx[at] = (dy[at] - sum[j] - (x[at] - mean[j]) * product[j]) * scale[j];
        });
    }
};

// Rows of x in chunks that stay in the first-level cache.
struct Chunks {
    int64_t rows, channels, size, count;

    explicit Chunks(const TensorView& x) : channels(x.shape[1]) {
        rows = channels == 0 ? 0 : element_count(x) / channels;
        size = std::max<int64_t>(4096 / std::max<int64_t>(channels, 1), 8);
        count = (rows + size - 1) / size;
    }
    int64_t length(int64_t chunk) const { return std::min(size, rows - chunk * size); }
    int64_t offset(int64_t chunk) const { return chunk * size * channels; }

    // body(chunk) for each, several to a task
    template <class Body>
    void each(const Body& body) const {
        constexpr int64_t per_task = 4;
        parallel_for((count + per_task - 1) / per_task, [&](int64_t task) {
            const int64_t end = std::min(count, (task + 1) * per_task);
            for (int64_t chunk = task * per_task; chunk < end; ++chunk) body(chunk);
        });
    }
};

struct Moments {
    std::vector<double> mean, squares;
};

// One sweep: each chunk's mean and squares around it, joined in order (Chan, Golub and LeVeque, 1979).
template <class Sweeps, class T = typename Sweeps::T>
Moments moments_of(const T* x, const Chunks& chunks) {
    const int64_t n = chunks.channels;
    WorkBuffer<T> partial(2 * chunks.count * n);
    chunks.each([&](int64_t chunk) {
        T* to = partial.data() + 2 * chunk * n;
        Sweeps::moments(x + chunks.offset(chunk), chunks.length(chunk), n, to, to + n);
    });
    Moments total{std::vector<double>(static_cast<size_t>(n)), std::vector<double>(static_cast<size_t>(n))};
    double seen = 0;
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
        const T* mean = partial.data() + 2 * chunk * n;
        const double added = static_cast<double>(chunks.length(chunk)), all = seen + added;
        for (size_t j = 0; j < static_cast<size_t>(n); ++j) {
            const double distance = static_cast<double>(mean[j]) - total.mean[j];
            total.mean[j] += distance * added / all;
            total.squares[j] += static_cast<double>(mean[static_cast<size_t>(n) + j]) +
                                distance * distance * seen * added / all;
        }
        seen = all;
    }
    return total;
}

void check_channels(const TensorView& x) {
    if (x.rank < 2) fail("needs an input [N, C, ...], got rank %d", x.rank);
}

double read_one(const TensorView& view, int64_t i) {
    double value;
    load_block(view.dtype, element(view, i * view.strides[0]), 1, 1, &value);
    return value;
}

void write_one(const TensorView& view, int64_t i, double value) {
    store_block(view.dtype, element(view, i * view.strides[0]), 1, 1, &value);
}

void check_vectors(const TensorView* views, int32_t count, int64_t channels) {
    for (int32_t i = 0; i < count; ++i) {
        if (views[i].rank != 1 || views[i].shape[0] != channels)
            fail("expected one value for each of %lld channels", static_cast<long long>(channels));
    }
}

// running = (1 - momentum) running + momentum value
void update_running(const TensorView& running, int64_t i, double momentum, double value) {
    write_one(running, i, (1 - momentum) * read_one(running, i) + momentum * value);
}

// What normalisation needs of each channel, in the compute type.
template <class T>
struct ChannelFactors {
    std::vector<T> mean, scale, shift;
    explicit ChannelFactors(int64_t n)
        : mean(static_cast<size_t>(n)), scale(static_cast<size_t>(n)), shift(static_cast<size_t>(n)) {}
};

}  // namespace

// x [N, C, ...], (weight [C], bias [C] if affine), (running mean [C], running variance [C] if not training)
// -> y [N, C, ...], mean [C], 1 / standard deviation [C] (, running mean, running variance: written in place)
void batch_norm(const OpCall& call, const BatchNormParams& params) {
    const bool training = params.training != 0, affine = params.affine != 0;
    const bool tracks = training && call.output_count == 5;
    expect_operands(call, 1 + (affine ? 2 : 0) + (training ? 0 : 2), tracks ? 5 : 3);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    check_channels(x);
    const Chunks chunks(x);
    const int64_t n = chunks.channels;
    check_vectors(call.inputs + 1, call.input_count - 1, n);
    check_vectors(call.outputs + 1, call.output_count - 1, n);
    const double epsilon = params.epsilon.values[0], momentum = params.momentum.values[0];
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        using Sweeps = std::conditional_t<std::is_same_v<T, float>, FloatSweeps, DoubleSweeps>;
        const DenseInput<T> input(x);
        const DenseOutput<T> output(y);
        const DenseVector<T> weight(affine ? call.inputs + 1 : nullptr, n, T(1)),
            bias(affine ? call.inputs + 2 : nullptr, n, T(0));
        ChannelFactors<T> factors(n);
        const Moments moments = training ? moments_of<Sweeps>(input.data(), chunks) : Moments{};
        for (int64_t j = 0; j < n; ++j) {
            const size_t at = static_cast<size_t>(j);
            const double count = static_cast<double>(chunks.rows);
            const double mean = training ? moments.mean[at] : read_one(call.inputs[affine ? 3 : 1], j);
            const double variance =
                training ? moments.squares[at] / count : read_one(call.inputs[affine ? 4 : 2], j);
            const double inverse = 1.0 / std::sqrt(variance + epsilon);
            factors.mean[at] = static_cast<T>(mean);
            factors.scale[at] = static_cast<T>(inverse * static_cast<double>(weight[j]));
            factors.shift[at] = bias[j];
            write_one(call.outputs[1], j, mean);
            write_one(call.outputs[2], j, inverse);
            if (!tracks || chunks.rows == 0) continue;
            update_running(call.outputs[3], j, momentum, mean);
            update_running(call.outputs[4], j, momentum, moments.squares[at] / (count - 1));
        }
        chunks.each([&](int64_t chunk) {
            const int64_t at = chunks.offset(chunk);
            Sweeps::normalize(input.data() + at, factors.mean.data(), factors.scale.data(),
                              factors.shift.data(), chunks.length(chunk), n, output.data() + at);
        });
        output.finish();
    });
}

// dy [N, C, ...], x [N, C, ...], mean [C], 1 / standard deviation [C] (, weight [C] if affine)
// -> dx [N, C, ...], dweight [C], dbias [C]
// training: dx = w r (dy - mean(dy) - (x - m) r^2 mean(dy (x - m))); else dx = w r dy
void batch_norm_backward(const OpCall& call, const BatchNormParams& params) {
    const bool training = params.training != 0, affine = params.affine != 0;
    expect_operands(call, affine ? 5 : 4, 3);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dx = call.outputs[0];
    check_channels(x);
    const Chunks chunks(x);
    const int64_t n = chunks.channels;
    check_vectors(call.inputs + 2, call.input_count - 2, n);
    check_vectors(call.outputs + 1, 2, n);
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        using Sweeps = std::conditional_t<std::is_same_v<T, float>, FloatSweeps, DoubleSweeps>;
        const DenseInput<T> gradient(dy), input(x);
        const DenseOutput<T> output(dx);
        const DenseVector<T> mean(call.inputs + 2, n, T(0)), inverse(call.inputs + 3, n, T(1)),
            weight(affine ? call.inputs + 4 : nullptr, n, T(1));
        WorkBuffer<T> partial(2 * chunks.count * n);
        chunks.each([&](int64_t chunk) {
            const int64_t at = chunks.offset(chunk);
            T* to = partial.data() + 2 * chunk * n;
            Sweeps::products(gradient.data() + at, input.data() + at, mean.data(), chunks.length(chunk), n,
                             to, to + n);
        });
        std::vector<double> totals(static_cast<size_t>(2 * n));
        for (int64_t i = 0; i < 2 * chunks.count * n; ++i)
            totals[static_cast<size_t>(i % (2 * n))] += static_cast<double>(partial.data()[i]);
        std::vector<T> sums(static_cast<size_t>(n)), products(static_cast<size_t>(n)),
            scales(static_cast<size_t>(n));
        for (int64_t j = 0; j < n; ++j) {
            const size_t at = static_cast<size_t>(j);
            const double sum = totals[at], product = totals[static_cast<size_t>(n + j)];
            const double r = static_cast<double>(inverse[j]), count = static_cast<double>(chunks.rows);
            write_one(call.outputs[1], j, product * r);
            write_one(call.outputs[2], j, sum);
            sums[at] = static_cast<T>(training ? sum / count : 0.0);
            products[at] = static_cast<T>(training ? product * r * r / count : 0.0);
            scales[at] = static_cast<T>(r * static_cast<double>(weight[j]));
        }
        chunks.each([&](int64_t chunk) {
            const int64_t at = chunks.offset(chunk);
            Sweeps::normalize_backward(gradient.data() + at, input.data() + at, mean.data(), sums.data(),
                                       products.data(), scales.data(), chunks.length(chunk), n,
                                       output.data() + at);
        });
        output.finish();
    });
}

}  // namespace nativegrad::cpu
