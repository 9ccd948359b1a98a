#include <algorithm>
#include <cmath>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/axis_rows.h"
#include "cpu/ops/dense_axis.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

namespace {

void softmax_row(const float* x, float* y, int64_t n, bool log) { kernels().softmax.rows(x, y, 1, n, log); }

void softmax_row(const double* x, double* y, int64_t n, bool log) {
    double shift = x[0], total = 0;
    for (int64_t i = 1; i < n; ++i) shift = shift != shift || shift > x[i] ? shift : x[i];
    for (int64_t i = 0; i < n; ++i) {
        const double e = std::exp(x[i] - shift);
        y[i] = log ? x[i] - shift : e;
        total += e;
    }
    const double last = log ? std::log(total) : 1 / total;
    for (int64_t i = 0; i < n; ++i) y[i] = log ? y[i] - last : y[i] * last;
}

// dx is written over dy.
void softmax_backward_row(const float* y, float* dy, int64_t n, bool log) {
    kernels().softmax.rows_backward(dy, y, dy, 1, n, log);
}

void softmax_backward_row(const double* y, double* dy, int64_t n, bool log) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += log ? dy[i] : dy[i] * y[i];
    for (int64_t i = 0; i < n; ++i) dy[i] = log ? dy[i] - std::exp(y[i]) * total : y[i] * (dy[i] - total);
}

// False where the operands do not lie in one dense order.
bool softmax_in_place(const TensorView& x, const TensorView& y, int64_t axis, bool log) {
    const auto dense = DenseAxis::of({&y, &x}, axis);
    if (!dense) return false;
    const float* from = floats(x);
    float* to = floats(y);
    const int64_t n = dense->length, inner = dense->inner;
    const SoftmaxKernels& softmax = kernels().softmax;
    if (inner == 1) {
        dense->each_rows([&](int64_t first, int64_t rows) {
            softmax.rows(from + first * n, to + first * n, rows, n, log);
        });
    } else {
        dense->each_columns(
            [&](int64_t at, int64_t width) { softmax.columns(from + at, to + at, n, inner, width, log); });
    }
    return true;
}

bool softmax_backward_in_place(const TensorView& dy, const TensorView& y, const TensorView& dx, int64_t axis,
                               bool log) {
    const auto dense = DenseAxis::of({&dx, &dy, &y}, axis);
    if (!dense) return false;
    const float *gradient = floats(dy), *result = floats(y);
    float* to = floats(dx);
    const int64_t n = dense->length, inner = dense->inner;
    const SoftmaxKernels& softmax = kernels().softmax;
    if (inner == 1) {
        dense->each_rows([&](int64_t first, int64_t rows) {
            const int64_t at = first * n;
            softmax.rows_backward(gradient + at, result + at, to + at, rows, n, log);
        });
    } else {
        dense->each_columns([&](int64_t at, int64_t width) {
            softmax.columns_backward(gradient + at, result + at, to + at, n, inner, width, log);
        });
    }
    return true;
}

}  // namespace

// x [...] -> y [...], along params.axis
void softmax(const OpCall& call, const SoftmaxParams& params) {
    expect_operands(call, 1, 1);
    const AxisRows rows(call.outputs[0], params.axis);
    if (rows.length == 0 || softmax_in_place(call.inputs[0], call.outputs[0], params.axis, params.log != 0))
        return;
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
    if (rows.length == 0 || softmax_backward_in_place(call.inputs[0], call.inputs[1], call.outputs[0],
                                                      params.axis, params.log != 0))
        return;
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

}  // namespace nativegrad::cpu
