#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/low_copy.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"
#include "ops/loss_scale.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t elements_per_task = 16384;
constexpr int32_t max_groups = 64;

int64_t pieces_of(int64_t n) { return (n + elements_per_task - 1) / elements_per_task; }

void adam_f64(const AdamStep& s, double* p, const double* g, double* m, double* v, double* largest,
              int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const double weight = p[i] * s.shrink, gradient = g[i] * s.gradient_scale + s.decay * weight;
        m[i] += (1 - s.beta1) * (gradient - m[i]);
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * gradient * gradient;
        if (largest != nullptr) largest[i] = std::max(largest[i], v[i]);
        const double bound = largest != nullptr ? largest[i] : v[i];
        p[i] = weight - s.step_size * m[i] / (std::sqrt(bound) * s.root_scale + s.epsilon);
    }
}

void sgd_f64(const SgdStep& s, double* p, const double* g, double* velocity, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        double direction = g[i] * s.gradient_scale + s.decay * p[i];
        if (velocity != nullptr) {
            velocity[i] = s.first ? direction : s.momentum * velocity[i] + (1 - s.dampening) * direction;
            direction = s.nesterov ? direction + s.momentum * velocity[i] : velocity[i];
        }
        p[i] -= s.lr * direction;
    }
}

void rmsprop_f64(const RmspropStep& s, double* p, const double* g, double* square, double* mean,
                 double* velocity, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const double gradient = g[i] * s.gradient_scale + s.decay * p[i];
        square[i] = s.alpha * square[i] + (1 - s.alpha) * gradient * gradient;
        double variance = square[i];
        if (mean != nullptr) {
            mean[i] += (1 - s.alpha) * (gradient - mean[i]);
            variance -= mean[i] * mean[i];
            if (variance < 0) variance = 0;
        }
        double direction = gradient / (std::sqrt(variance) + s.epsilon);
        if (velocity != nullptr) direction = velocity[i] = s.momentum * velocity[i] + direction;
        p[i] -= s.lr * direction;
    }
}

// True when both walk the same memory order; the strides of dimensions of size 1 say nothing.
bool same_order(const TensorView& a, const TensorView& b) {
    if (a.rank != b.rank) return false;
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] != b.shape[axis]) return false;
        if (a.shape[axis] > 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

// Operands of one parameter: the parameter, its gradient and its state, all dense in the same memory order.
void check_group(const TensorView* group, int32_t size) {
    for (int32_t i = 0; i < size; ++i) {
        if (group[i].dtype != group[0].dtype || !is_dense(group[i]) || !same_order(group[i], group[0])) {
            fail("a parameter, its gradient and its state must have one dtype, shape and dense memory order");
        }
    }
}

template <class T>
T* at(const TensorView& view, int64_t offset) {
    return static_cast<T*>(view.data) + offset;
}

// A loss scaler found no finite gradients: what would have been updated stays, and the groups count it.
bool is_left_out(const OpCall& call, int32_t size) {
    if (call.input_count == 0 || *static_cast<const int32_t*>(call.inputs[0].data) == 0) return false;
    for (int32_t i = size - 1; i < call.output_count; i += size)
        ++*static_cast<int32_t*>(call.outputs[i].data);
    return true;
}

double gradient_scale_of(const OpCall& call) {
    return call.input_count > 1 ? *static_cast<const float*>(call.inputs[1].data) : 1.0;
}

// Groups of `tensors` operands (and a copy and a count, see loss_scale.h) lie one after the other in the
// outputs: body(group, first element, count, step) in parallel pieces, step_of(skipped) makes the step.
template <class StepOf, class Body>
void each_piece(const OpCall& call, int32_t tensors, bool casts, const StepOf& step_of, const Body& body) {
    const int32_t size = update_group_size(call, tensors, casts);
    const bool is_scaled = call.input_count > 0;
    // One fork for all parameters: the small ones are not worth one each.
    int64_t counts[max_groups], tasks = 0;
    const int32_t groups = call.output_count / size;
    if (groups > max_groups) fail("takes at most %d parameters at once", max_groups);
    for (int32_t i = 0; i < groups; ++i) {
        check_group(call.outputs + i * size, tensors);
        counts[i] = element_count(call.outputs[i * size]);
        tasks += pieces_of(counts[i]);
    }
    if (is_left_out(call, size)) return;
    const double gradient_scale = gradient_scale_of(call);
    parallel_for(tasks, [&](int64_t task) {
        int32_t i = 0;
        for (; task >= pieces_of(counts[i]); ++i) task -= pieces_of(counts[i]);
        const TensorView* group = call.outputs + i * size;
        const int64_t start = task * elements_per_task, n = std::min(elements_per_task, counts[i] - start);
        auto step = step_of(is_scaled ? *static_cast<const int32_t*>(group[size - 1].data) : -1);
        step.gradient_scale = gradient_scale;
        body(group, start, n, step);
        if (casts) write_low_copy(group[0], group[tensors], start, n);
    });
}

}  // namespace

// groups of (parameter, gradient, m, v[, largest v][, copy][, skipped]), updated in place
void adam_step(const OpCall& call, const AdamParams& params) {
    const AdamStep common = adam_step_of(params);
    const bool amsgrad = params.amsgrad != 0;
    const auto step_of = [&](int32_t skipped) {
        return skipped > 0 ? adam_step_of(params, skipped) : common;
    };
    const auto update = [&](const TensorView* group, int64_t i, int64_t n, const AdamStep& s) {
        if (group->dtype == DType::float32) {
            kernels().optimizer.adam(s, at<float>(group[0], i), at<float>(group[1], i),
                                     at<float>(group[2], i), at<float>(group[3], i),
                                     amsgrad ? at<float>(group[4], i) : nullptr, n);
        } else if (group->dtype == DType::float64) {
            adam_f64(s, at<double>(group[0], i), at<double>(group[1], i), at<double>(group[2], i),
                     at<double>(group[3], i), amsgrad ? at<double>(group[4], i) : nullptr, n);
        } else {
            fail("parameters must be float32 or float64, got %s", dtype_name(group->dtype));
        }
    };
    each_piece(call, amsgrad ? 5 : 4, params.casts != 0, step_of, update);
}

// groups of (parameter, gradient[, velocity][, copy][, skipped]), updated in place
void sgd_step(const OpCall& call, const SgdParams& params) {
    const bool has_velocity = params.has_velocity != 0;
    const auto step_of = [&](int32_t skipped) {
        return skipped < 0 ? sgd_step_of(params) : sgd_step_of(params, skipped);
    };
    const auto update = [&](const TensorView* group, int64_t i, int64_t n, const SgdStep& s) {
        if (group->dtype == DType::float32) {
            kernels().optimizer.sgd(s, at<float>(group[0], i), at<float>(group[1], i),
                                    has_velocity ? at<float>(group[2], i) : nullptr, n);
        } else if (group->dtype == DType::float64) {
            sgd_f64(s, at<double>(group[0], i), at<double>(group[1], i),
                    has_velocity ? at<double>(group[2], i) : nullptr, n);
        } else {
            fail("parameters must be float32 or float64, got %s", dtype_name(group->dtype));
        }
    };
    each_piece(call, has_velocity ? 3 : 2, params.casts != 0, step_of, update);
}

// groups of (parameter, gradient, mean square[, mean][, velocity][, copy][, skipped]), updated in place
void rmsprop_step(const OpCall& call, const RmspropParams& params) {
    const bool centered = params.centered != 0, has_velocity = params.has_velocity != 0;
    const int32_t velocity = centered ? 4 : 3;
    const auto step_of = [&](int32_t) { return rmsprop_step_of(params); };
    const auto update = [&](const TensorView* group, int64_t i, int64_t n, const RmspropStep& s) {
        if (group->dtype == DType::float32) {
            kernels().optimizer.rmsprop(s, at<float>(group[0], i), at<float>(group[1], i),
                                        at<float>(group[2], i), centered ? at<float>(group[3], i) : nullptr,
                                        has_velocity ? at<float>(group[velocity], i) : nullptr, n);
        } else if (group->dtype == DType::float64) {
            rmsprop_f64(s, at<double>(group[0], i), at<double>(group[1], i), at<double>(group[2], i),
                        centered ? at<double>(group[3], i) : nullptr,
                        has_velocity ? at<double>(group[velocity], i) : nullptr, n);
        } else {
            fail("parameters must be float32 or float64, got %s", dtype_name(group->dtype));
        }
    };
    each_piece(call, velocity + (has_velocity ? 1 : 0), params.casts != 0, step_of, update);
}

}  // namespace nativegrad::cpu
