#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

// What each class of one sample contributes: the (weighted) target share (1 - s) and the smoothing share s /
// C.
template <class T>
struct ClassWeights {
    int64_t classes;
    T smoothing, weight_sum;
    WorkBuffer<T> buffer;
    const T* weights;  // null = all 1

    template <class Params>
    ClassWeights(const Params& params, const TensorView* view, int64_t count)
        : classes(count),
          smoothing(static_cast<T>(params.label_smoothing.values[0])),
          weight_sum(static_cast<T>(count)),
          buffer(view == nullptr ? 0 : count),
          weights(view == nullptr ? nullptr : buffer.data()) {
        if (view == nullptr) return;
        load_block(view->dtype, view->data, view->strides[0], count, buffer.data());
        double total = 0;
        for (int64_t c = 0; c < count; ++c) total += static_cast<double>(weights[c]);
        weight_sum = static_cast<T>(total);
    }
    T operator[](int64_t c) const { return weights == nullptr ? T(1) : weights[c]; }
    T share() const { return smoothing / static_cast<T>(classes); }
};

void check_cross_entropy(const TensorView& x, const TensorView& target, const TensorView* weight) {
    if (x.rank != 2 || target.rank != 1 || target.shape[0] != x.shape[0] || is_float(target.dtype) ||
        (weight != nullptr && (weight->rank != 1 || weight->shape[0] != x.shape[1]))) {
        fail("needs scores [N, C], integer labels [N] and weights [C]");
    }
}

// losses or d losses [rows], labels [rows] in a buffer each
void losses_of(const float* x, const int64_t* labels, int64_t rows, const ClassWeights<float>& weights,
               int64_t ignored, float* losses) {
    const CrossEntropyTerms terms{1 - weights.smoothing, weights.share(), weights.weight_sum, weights.weights,
                                  ignored};
    kernels().softmax.cross_entropy(x, labels, rows, weights.classes, terms, losses);
}

void gradients_of(const float* d_losses, const float* x, const int64_t* labels, int64_t rows,
                  const ClassWeights<float>& weights, int64_t ignored, float* dx) {
    const CrossEntropyTerms terms{1 - weights.smoothing, weights.share(), weights.weight_sum, weights.weights,
                                  ignored};
    kernels().softmax.cross_entropy_backward(d_losses, x, labels, rows, weights.classes, terms, dx);
}

struct ExpTotal {
    double shift, total;

    ExpTotal(const double* x, int64_t n) : shift(x[0]), total(0) {
        for (int64_t i = 1; i < n; ++i) shift = shift != shift || shift > x[i] ? shift : x[i];
        for (int64_t i = 0; i < n; ++i) total += std::exp(x[i] - shift);
    }
};

void losses_of(const double* x, const int64_t* labels, int64_t rows, const ClassWeights<double>& weights,
               int64_t ignored, double* losses) {
    const int64_t n = weights.classes;
    for (int64_t r = 0; r < rows; ++r, x += n) {
        losses[r] = 0;
        if (labels[r] == ignored) continue;
        const ExpTotal made(x, n);
        const double log_total = std::log(made.total);
        losses[r] = (1 - weights.smoothing) * weights[labels[r]] * (made.shift - x[labels[r]] + log_total);
        if (weights.smoothing == 0) continue;
        double spread = 0;
        for (int64_t c = 0; c < n; ++c) spread += weights[c] * (made.shift - x[c] + log_total);
        losses[r] += weights.share() * spread;
    }
}

// The softmax is made anew: from a rounded log-sum-exp it would carry that rounding in every class.
void gradients_of(const double* d_losses, const double* x, const int64_t* labels, int64_t rows,
                  const ClassWeights<double>& weights, int64_t ignored, double* dx) {
    const int64_t n = weights.classes;
    for (int64_t r = 0; r < rows; ++r, x += n, dx += n) {
        if (labels[r] == ignored) {
            std::fill(dx, dx + n, 0.0);
            continue;
        }
        const ExpTotal made(x, n);
        const double share = weights.share(), on_target = (1 - weights.smoothing) * weights[labels[r]];
        for (int64_t c = 0; c < n; ++c) {
            const double p = std::exp(x[c] - made.shift) / made.total;
            dx[c] = d_losses[r] * (p * (on_target + share * weights.weight_sum) - share * weights[c]);
        }
        dx[labels[r]] -= d_losses[r] * on_target;
    }
}

// The rows of scores, a block at a time: in place where they lie side by side in the compute type.
template <class T>
class ScoreRows {
  public:
    ScoreRows(const TensorView& x, const TensorView& labels, int64_t ignored)
        : x_(x), labels_(labels), ignored_(ignored), classes_(x.shape[1]) {
        direct_ = x.dtype == own_dtype<T>() && is_row_major(x);
        per_block_ = std::max<int64_t>(1, std::min<int64_t>(256, 8192 / std::max<int64_t>(classes_, 1)));
    }

    // body(first, count, scores [count, C], labels [count], buffer): the buffer takes [count, C] where asked
    // for
    template <class Body>
    void each(bool wants_buffer, const Body& body) const {
        const int64_t rows = x_.shape[0];
        parallel_for((rows + per_block_ - 1) / per_block_, [&](int64_t block) {
            const int64_t first = block * per_block_, count = std::min(per_block_, rows - first);
            const WorkBuffer<T> scores(direct_ ? 0 : count * classes_),
                buffer(wants_buffer ? count * classes_ : 0);
            int64_t labels[256];
            read_labels(first, count, labels);
            const T* from = scores.data();
            if (direct_) {
                from = static_cast<const T*>(x_.data) + first * classes_;
            } else {
                read_scores(first, count, scores.data());
            }
            body(first, count, from, labels, buffer.data());
        });
    }

  private:
    void read_labels(int64_t first, int64_t count, int64_t* labels) const {
        const int64_t stride = labels_.strides[0];
        load_block(labels_.dtype, element(labels_, first * stride), stride, count, labels);
        for (int64_t r = 0; r < count; ++r) {
            if (labels[r] == ignored_ || (labels[r] >= 0 && labels[r] < classes_)) continue;
            fail("label %lld at row %lld is outside [0, %lld)", static_cast<long long>(labels[r]),
                 static_cast<long long>(first + r), static_cast<long long>(classes_));
        }
    }
    void read_scores(int64_t first, int64_t count, T* scores) const {
        for (int64_t r = 0; r < count; ++r) {
            load_block(x_.dtype, element(x_, (first + r) * x_.strides[0]), x_.strides[1], classes_,
                       scores + r * classes_);
        }
    }

    const TensorView &x_, &labels_;
    int64_t ignored_, classes_, per_block_;
    bool direct_;
};

}  // namespace

// scores [N, C], labels [N], (weights [C]) -> losses [N]
// loss_i = (1 - s) w_t (lse_i - x_it) + s / C sum_c w_c (lse_i - x_ic), lse = log-sum-exp; 0 where the label
// is ignored
void cross_entropy(const OpCall& call, const CrossEntropyParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &x = call.inputs[0], &target = call.inputs[1], &losses = call.outputs[0];
    const TensorView* weight = call.input_count == 3 ? &call.inputs[2] : nullptr;
    check_cross_entropy(x, target, weight);
    with_float_compute(x.dtype, [&](auto type) {
        using T = decltype(type);
        const ClassWeights<T> weights(params, weight, x.shape[1]);
        const ScoreRows<T> rows(x, target, params.ignore_index);
        rows.each(false, [&](int64_t first, int64_t count, const T* scores, const int64_t* labels, T*) {
            T made[256];
            losses_of(scores, labels, count, weights, params.ignore_index, made);
            store_block(losses.dtype, element(losses, first * losses.strides[0]), losses.strides[0], count,
                        made);
        });
    });
}

// d losses [N], scores [N, C], labels [N], (divisor []), (weights [C]) -> d scores [N, C]
void cross_entropy_backward(const OpCall& call, const CrossEntropyBackwardParams& params) {
    const int32_t least = params.mean != 0 ? 4 : 3;
    expect_operands(call, call.input_count == least + 1 ? least + 1 : least, 1);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &target = call.inputs[2],
                     &dx = call.outputs[0];
    const TensorView* weight = call.input_count > least ? &call.inputs[least] : nullptr;
    check_cross_entropy(x, target, weight);
    const int64_t classes = x.shape[1];
    if (!is_row_major(dx)) fail("needs a dense output");
    with_float_compute(x.dtype, [&](auto type) {
        using T = decltype(type);
        const bool direct = dx.dtype == own_dtype<T>();
        const ClassWeights<T> weights(params, weight, classes);
        const ScoreRows<T> rows(x, target, params.ignore_index);
        T divisor = 1;
        if (params.mean != 0) load_block(call.inputs[3].dtype, call.inputs[3].data, 1, 1, &divisor);
        rows.each(
            !direct, [&](int64_t first, int64_t count, const T* scores, const int64_t* labels, T* buffer) {
                T upstream[256];
                load_block(dy.dtype, element(dy, first * dy.strides[0]), dy.strides[0], count, upstream);
                for (int64_t r = 0; r < count; ++r) upstream[r] /= divisor;
                T* to = direct ? static_cast<T*>(dx.data) + first * classes : buffer;
                gradients_of(upstream, scores, labels, count, weights, params.ignore_index, to);
                if (!direct) store_block(dx.dtype, element(dx, first * classes), 1, count * classes, buffer);
            });
    });
}

}  // namespace nativegrad::cpu
