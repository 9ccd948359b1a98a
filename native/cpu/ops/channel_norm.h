// What the ops around batch normalisation share: sweeps over rows of channels, statistics, and the factors
// that come from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "cpu/kernel_table.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

// The four sweeps over x [rows, n]: vector kernels for float, plain loops for double. With relu, normalize
// writes relu(y); with y, the gradient is that of relu(y) = y: dy where y is above 0.
struct FloatSweeps {
    using T = float;
    static void moments(const float* x, int64_t rows, int64_t n, float* mean, float* squares) {
        kernels().norm.column_moments(x, rows, n, mean, squares);
    }
    static void products(const float* dy, const float* y, const float* x, const float* mean, int64_t rows,
                         int64_t n, float* sum, float* product) {
        kernels().norm.column_products(dy, y, x, mean, rows, n, sum, product);
    }
    static void normalize(const float* x, const float* mean, const float* scale, const float* shift,
                          int64_t rows, int64_t n, bool relu, float* y) {
        kernels().norm.normalize_columns(x, mean, scale, shift, rows, n, relu, y);
    }
    static void normalize_backward(const float* dy, const float* y, const float* x, const float* mean,
                                   const float* sum, const float* product, const float* scale, int64_t rows,
                                   int64_t n, float* dx) {
        kernels().norm.normalize_columns_backward(dy, y, x, mean, sum, product, scale, rows, n, dx);
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
    static double masked(const double* dy, const double* y, int64_t at) {
        return y != nullptr && y[at] <= 0 ? 0.0 : dy[at];
    }
    static void products(const double* dy, const double* y, const double* x, const double* mean, int64_t rows,
                         int64_t n, double* sum, double* product) {
        std::fill_n(sum, n, 0.0);
        std::fill_n(product, n, 0.0);
        each(rows, n, [=](int64_t at, int64_t j) {
            sum[j] += masked(dy, y, at);
            product[j] += masked(dy, y, at) * (x[at] - mean[j]);
        });
    }
    static void normalize(const double* x, const double* mean, const double* scale, const double* shift,
                          int64_t rows, int64_t n, bool relu, double* y) {
        each(rows, n, [=](int64_t at, int64_t j) {
            const double value = (x[at] - mean[j]) * scale[j] + shift[j];
            y[at] = relu && value <= 0 ? 0.0 : value;
        });
    }
    static void normalize_backward(const double* dy, const double* y, const double* x, const double* mean,
                                   const double* sum, const double* product, const double* scale,
                                   int64_t rows, int64_t n, double* dx) {
        each(rows, n, [=](int64_t at, int64_t j) {
            dx[at] = (masked(dy, y, at) - sum[j] - (x[at] - mean[j]) * product[j]) * scale[j];
        });
    }
};

template <class T>
using SweepsOf = std::conditional_t<std::is_same_v<T, float>, FloatSweeps, DoubleSweeps>;

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

// Chunks' mean and squares around it, [mean, squares] of 2 n each, joined in order (Chan, Golub and LeVeque,
// 1979); length(chunk): rows in it.
template <class T, class Length>
Moments join_moments(const T* partial, int64_t chunks, int64_t n, const Length& length) {
    Moments total{std::vector<double>(static_cast<size_t>(n)), std::vector<double>(static_cast<size_t>(n))};
    double seen = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const T* mean = partial + 2 * chunk * n;
        const double added = static_cast<double>(length(chunk)), all = seen + added;
        if (added == 0) continue;
        const double share = added / all, weight = seen * share;
        for (size_t j = 0; j < static_cast<size_t>(n); ++j) {
            const double distance = static_cast<double>(mean[j]) - total.mean[j];
            total.mean[j] += distance * share;
            total.squares[j] +=
                static_cast<double>(mean[static_cast<size_t>(n) + j]) + distance * distance * weight;
        }
        seen = all;
    }
    return total;
}

template <class Sweeps, class T = typename Sweeps::T>
Moments moments_of(const DenseReader<T>& x, const Chunks& chunks) {
    const int64_t n = chunks.channels;
    WorkBuffer<T> partial(2 * chunks.count * n);
    chunks.each([&](int64_t chunk) {
        T* to = partial.data() + 2 * chunk * n;
        const int64_t count = chunks.length(chunk) * n;
        Stretch<T> room(x.room(count));
        Sweeps::moments(x.read(chunks.offset(chunk), count, room), chunks.length(chunk), n, to, to + n);
    });
    return join_moments(partial.data(), chunks.count, n, [&](int64_t chunk) { return chunks.length(chunk); });
}

inline void check_channels(const TensorView& x) {
    if (x.rank < 2) fail("needs an input [N, C, ...], got rank %d", x.rank);
}

inline double read_one(const TensorView& view, int64_t i) {
    double value;
    load_block(view.dtype, element(view, i * view.strides[0]), 1, 1, &value);
    return value;
}

inline void write_one(const TensorView& view, int64_t i, double value) {
    store_block(view.dtype, element(view, i * view.strides[0]), 1, 1, &value);
}

inline void check_vectors(const TensorView* views, int32_t count, int64_t channels) {
    for (int32_t i = 0; i < count; ++i) {
        if (views[i].rank != 1 || views[i].shape[0] != channels)
            fail("expected one value for each of %lld channels", static_cast<long long>(channels));
    }
}

inline void check_same_shape(const TensorView& a, const TensorView& b) {
    bool same = a.rank == b.rank;
    for (int32_t axis = 0; same && axis < a.rank; ++axis) same = a.shape[axis] == b.shape[axis];
    if (!same) fail("expected operands of one shape");
}

// running = (1 - momentum) running + momentum value
inline void update_running(const TensorView& running, int64_t i, double momentum, double value) {
    write_one(running, i, (1 - momentum) * read_one(running, i) + momentum * value);
}

// What normalisation needs of each channel, in the compute type.
template <class T>
struct ChannelFactors {
    std::vector<T> mean, scale, shift;
    explicit ChannelFactors(int64_t n)
        : mean(static_cast<size_t>(n)), scale(static_cast<size_t>(n)), shift(static_cast<size_t>(n)) {}
};

// The operands that all forms of the op share, behind x among the inputs and behind `results` among the
// outputs. training 2: mean [C] and the sum of squares around it [C] are given, and count as the batch's.
struct NormCall {
    const OpCall& call;
    const BatchNormParams& params;
    bool training, affine, given, tracks;
    int32_t results;

    NormCall(const OpCall& c, const BatchNormParams& p, int32_t own_results)
        : call(c),
          params(p),
          training(p.training != 0),
          affine(p.affine != 0),
          given(p.training != 1),
          tracks(training && c.output_count == own_results + 4),
          results(own_results) {
        expect_operands(call, 1 + (affine ? 2 : 0) + (given ? 2 : 0), results + (tracks ? 4 : 2));
        check_channels(call.inputs[0]);
        check_vectors(call.inputs + 1, call.input_count - 1, call.inputs[0].shape[1]);
        check_vectors(call.outputs + results, call.output_count - results, call.inputs[0].shape[1]);
    }

    double given_value(int32_t which, int64_t channel) const {
        return read_one(call.inputs[(affine ? 3 : 1) + which], channel);
    }
};

// Statistics of x, written to the outputs, and the factors that follow.
template <class T>
ChannelFactors<T> take_statistics(const NormCall& norm, const DenseReader<T>& x, const Chunks& chunks) {
    const int64_t n = chunks.channels;
    const OpCall& call = norm.call;
    const DenseVector<T> weight(norm.affine ? call.inputs + 1 : nullptr, n, T(1)),
        bias(norm.affine ? call.inputs + 2 : nullptr, n, T(0));
    const double epsilon = norm.params.epsilon.values[0], momentum = norm.params.momentum.values[0];
    const double count = static_cast<double>(chunks.rows);
    const Moments moments = norm.given ? Moments{} : moments_of<SweepsOf<T>>(x, chunks);
    ChannelFactors<T> factors(n);
    for (int64_t j = 0; j < n; ++j) {
        const size_t at = static_cast<size_t>(j);
        const double mean = norm.given ? norm.given_value(0, j) : moments.mean[at];
        const double spread = norm.given ? norm.given_value(1, j) : moments.squares[at];
        const double variance = norm.training ? spread / count : spread;
        const double inverse = 1.0 / std::sqrt(variance + epsilon);
        factors.mean[at] = static_cast<T>(mean);
        factors.scale[at] = static_cast<T>(inverse * static_cast<double>(weight[j]));
        factors.shift[at] = bias[j];
        write_one(call.outputs[norm.results], j, mean);
        write_one(call.outputs[norm.results + 1], j, inverse);
        if (!norm.tracks || chunks.rows == 0) continue;
        update_running(call.outputs[norm.results + 2], j, momentum, mean);
        update_running(call.outputs[norm.results + 3], j, momentum, spread / (count - 1));
    }
    return factors;
}

// The factors of the backward sweep from the two sums over each channel, in chunks [sum, product] of 2 n.
template <class T>
struct BackwardFactors {
    std::vector<T> sum, product, scale;

    // dweight and dbias are written to the outputs 1 and 2.
    BackwardFactors(const OpCall& call, bool training, const T* partial, int64_t chunks, int64_t rows,
                    const DenseVector<T>& inverse, const DenseVector<T>& weight, int64_t n)
        : sum(static_cast<size_t>(n)), product(static_cast<size_t>(n)), scale(static_cast<size_t>(n)) {
        std::vector<double> totals(static_cast<size_t>(2 * n));
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
            for (int64_t i = 0; i < 2 * n; ++i)
                totals[static_cast<size_t>(i)] += static_cast<double>(partial[chunk * 2 * n + i]);
        }
        for (int64_t j = 0; j < n; ++j) {
            const size_t at = static_cast<size_t>(j);
            const double r = static_cast<double>(inverse[j]), count = static_cast<double>(rows);
            write_one(call.outputs[1], j, totals[static_cast<size_t>(n + j)] * r);
            write_one(call.outputs[2], j, totals[at]);
            sum[at] = static_cast<T>(training ? totals[at] / count : 0.0);
            product[at] = static_cast<T>(training ? totals[static_cast<size_t>(n + j)] * r * r / count : 0.0);
            scale[at] = static_cast<T>(r * static_cast<double>(weight[j]));
        }
    }
};

}  // namespace nativegrad::cpu
