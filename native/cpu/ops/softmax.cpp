#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/axis_rows.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

namespace {

template <class T>
T largest(const T* x, int64_t n) {
    T best = x[0];
    for (int64_t i = 1; i < n; ++i) best = best != best || best > x[i] ? best : x[i];
    return best;
}
float largest(const float* x, int64_t n) { return kernels().reduce.max(x, n); }

// y = exp(x - shift), returns the sum; y may be null
float exp_sum(const float* x, float shift, float* y, int64_t n) {
    return kernels().softmax.exp_sum(x, shift, y, n);
}
double exp_sum(const double* x, double shift, double* y, int64_t n) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double e = std::exp(x[i] - shift);
        if (y != nullptr) y[i] = e;
        total += e;
    }
    return total;
}

template <class T>
void softmax_row(const T* x, T* y, int64_t n, bool log) {
    const T shift = largest(x, n);
    const T total = exp_sum(x, shift, log ? static_cast<T*>(nullptr) : y, n);
    if (log) {
        const T log_total = std::log(total);
        for (int64_t i = 0; i < n; ++i) y[i] = x[i] - shift - log_total;
    } else {
        const T scale = T(1) / total;
        for (int64_t i = 0; i < n; ++i) y[i] *= scale;
    }
}

template <class T>
void softmax_backward_row(const T* y, T* dy, int64_t n, bool log) {
    T total = 0;
    for (int64_t i = 0; i < n; ++i) total += log ? dy[i] : dy[i] * y[i];
    for (int64_t i = 0; i < n; ++i) dy[i] = log ? dy[i] - std::exp(y[i]) * total : y[i] * (dy[i] - total);
}

// What each class of one sample contributes: the (weighted) target share (1 - s) and the smoothing share s /
// C.
template <class T>
struct ClassWeights {
    T smoothing, weight_sum;
    const T* weights;  // null = all 1

    ClassWeights(const CrossEntropyParams& params, const T* w, int64_t classes)
        : smoothing(static_cast<T>(params.label_smoothing.values[0])),
          weight_sum(static_cast<T>(classes)),
          weights(w) {
        if (w == nullptr) return;
        weight_sum = 0;
        for (int64_t c = 0; c < classes; ++c) weight_sum += w[c];
    }
    T operator[](int64_t c) const { return weights == nullptr ? T(1) : weights[c]; }
};

int64_t read_label(const TensorView& target, int64_t row, int64_t classes, int64_t ignored) {
    int64_t label;
    load_block(target.dtype, element(target, row * target.strides[0]), 1, 1, &label);
    if (label != ignored && (label < 0 || label >= classes)) {
        fail("label %lld at row %lld is outside [0, %lld)", static_cast<long long>(label),
             static_cast<long long>(row), static_cast<long long>(classes));
    }
    return label;
}

void check_cross_entropy(const TensorView& x, const TensorView& target, const TensorView* weight) {
    if (x.rank != 2 || target.rank != 1 || target.shape[0] != x.shape[0] || is_float(target.dtype) ||
        (weight != nullptr && (weight->rank != 1 || weight->shape[0] != x.shape[1]))) {
        fail("needs scores [N, C], integer labels [N] and weights [C]");
    }
}

template <class T>
WorkBuffer<T> read_weights(const TensorView* weight, int64_t classes) {
    WorkBuffer<T> buffer(classes);
    if (weight != nullptr)
        load_block(weight->dtype, weight->data, weight->strides[0], classes, buffer.data());
    return buffer;
}

}  // namespace

// x [...] -> y [...], along params.axis
void softmax(const OpCall& call, const SoftmaxParams& params) {
    expect_operands(call, 1, 1);
    const AxisRows rows(call.outputs[0], params.axis);
    if (rows.length == 0) return;
    with_float_compute(call.outputs[0].dtype, [&](auto type) {
        using T = decltype(type);
        rows.each<T>(2 * rows.length, [&](int64_t row, T* buffer) {
            rows.read(call.inputs[0], row, buffer);
            softmax_row(buffer, buffer + rows.length, rows.length, params.log != 0);
            rows.write(call.outputs[0], row, buffer + rows.length);
        });
    });
}

// dy [...], y [...] -> dx [...]
void softmax_backward(const OpCall& call, const SoftmaxParams& params) {
    expect_operands(call, 2, 1);
    const AxisRows rows(call.outputs[0], params.axis);
    if (rows.length == 0) return;
    with_float_compute(call.outputs[0].dtype, [&](auto type) {
        using T = decltype(type);
        rows.each<T>(2 * rows.length, [&](int64_t row, T* buffer) {
            rows.read(call.inputs[0], row, buffer);
            rows.read(call.inputs[1], row, buffer + rows.length);
            softmax_backward_row(buffer + rows.length, buffer, rows.length, params.log != 0);
            rows.write(call.outputs[0], row, buffer);
        });
    });
}

// scores [N, C], labels [N], (weights [C]) -> losses [N]
// loss_i = (1 - s) w_t (lse_i - x_it) + s / C sum_c w_c (lse_i - x_ic), lse = log-sum-exp; 0 where the label
// is ignored
void cross_entropy(const OpCall& call, const CrossEntropyParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &x = call.inputs[0], &target = call.inputs[1];
    const TensorView* weight = call.input_count == 3 ? &call.inputs[2] : nullptr;
    check_cross_entropy(x, target, weight);
    const AxisRows rows(x, 1);
    const int64_t classes = rows.length;
    with_float_compute(x.dtype, [&](auto type) {
        using T = decltype(type);
        const WorkBuffer<T> buffer = read_weights<T>(weight, classes);
        const ClassWeights<T> weights(params, weight ? buffer.data() : nullptr, classes);
        rows.each<T>(rows.length, [&](int64_t row, T* scores) {
            rows.read(x, row, scores);
            const int64_t label = read_label(target, row, classes, params.ignore_index);
            const T shift = largest(scores, classes);
            const T lse = shift + std::log(exp_sum(scores, shift, static_cast<T*>(nullptr), classes));
            T loss = 0;
            if (label != params.ignore_index) {
                loss = (1 - weights.smoothing) * weights[label] * (lse - scores[label]);
                T spread = 0;
                if (weights.smoothing > 0) {
                    for (int64_t c = 0; c < classes; ++c) spread += weights[c] * (lse - scores[c]);
                }
                loss += weights.smoothing / static_cast<T>(classes) * spread;
            }
            store_block(call.outputs[0].dtype, element(call.outputs[0], row), 1, 1, &loss);
        });
    });
}

// d losses [N], scores [N, C], labels [N], (weights [C]) -> d scores [N, C]
// The softmax is made anew: from a rounded log-sum-exp it would carry that rounding in every class.
void cross_entropy_backward(const OpCall& call, const CrossEntropyParams& params) {
    expect_operands(call, call.input_count == 4 ? 4 : 3, 1);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &target = call.inputs[2];
    const TensorView* weight = call.input_count == 4 ? &call.inputs[3] : nullptr;
    check_cross_entropy(x, target, weight);
    const AxisRows rows(x, 1);
    const int64_t classes = rows.length;
    with_float_compute(x.dtype, [&](auto type) {
        using T = decltype(type);
        const WorkBuffer<T> buffer = read_weights<T>(weight, classes);
        const ClassWeights<T> weights(params, weight ? buffer.data() : nullptr, classes);
        rows.each<T>(2 * rows.length, [&](int64_t row, T* scores) {
            T* gradient = scores + classes;
            rows.read(x, row, scores);
            const int64_t label = read_label(target, row, classes, params.ignore_index);
            T upstream;
            load_block(dy.dtype, element(dy, row * dy.strides[0]), 1, 1, &upstream);
            if (label == params.ignore_index) {
                std::fill(gradient, gradient + classes, T(0));
            } else {
                const T share = weights.smoothing / static_cast<T>(classes);
                const T on_target = (1 - weights.smoothing) * weights[label];
                const T total = exp_sum(scores, largest(scores, classes), gradient, classes);
                for (int64_t c = 0; c < classes; ++c) {
                    gradient[c] = upstream * (gradient[c] / total * (on_target + share * weights.weight_sum) -
                                              share * weights[c]);
                }
                gradient[label] -= upstream * on_target;
            }
            rows.write(call.outputs[0], row, gradient);
        });
    });
}

}  // namespace nativegrad::cpu
