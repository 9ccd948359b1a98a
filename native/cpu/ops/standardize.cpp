#include <algorithm>
#include <cmath>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

// x seen as [count, length]: the axes from `axis` on form one row.
struct RowPlan {
    int64_t count = 1, length = 1;

    RowPlan(const TensorView& x, int64_t axis) {
        if (axis < 0 || axis > x.rank) fail("axis %d of rank %d", static_cast<int>(axis), x.rank);
        for (int32_t i = 0; i < x.rank; ++i) (i < axis ? count : length) *= x.shape[i];
    }

    template <class Body>
    void each(const Body& body) const {
        const int64_t per_task = std::max<int64_t>(1, 16384 / std::max<int64_t>(length, 1));
        parallel_for((count + per_task - 1) / per_task, [&](int64_t task) {
            const int64_t end = std::min(count, (task + 1) * per_task);
            for (int64_t row = task * per_task; row < end; ++row) body(row);
        });
    }
};

// A row-major operand in the compute type.
template <class T>
class DenseRows {
  public:
    explicit DenseRows(const TensorView& view) {
        if (view.dtype == own_dtype<T>() && is_row_major(view)) {
            data_ = static_cast<const T*>(view.data);
            return;
        }
        TensorView dense = view;
        buffer_.emplace(element_count(view));
        dense.data = buffer_->data();
        dense.dtype = own_dtype<T>();
        set_row_major_strides(dense);
        copy_view(view, dense);
        data_ = buffer_->data();
    }
    const T* operator[](int64_t row) const { return data_ + row; }

  private:
    const T* data_;
    std::optional<WorkBuffer<T>> buffer_;
};

// Sums in lanes of fixed number, so that the compiler may use vectors.
template <class T, class Term>
double lane_sum(int64_t n, const Term& term) {
    constexpr int64_t lanes = 16;
    T total[lanes] = {};
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        for (int64_t lane = 0; lane < lanes; ++lane) total[lane] += term(i + lane);
    }
    for (int64_t lane = 0; i < n; ++i, ++lane) total[lane] += term(i);
    double sum = 0;
    for (const T part : total) sum += static_cast<double>(part);
    return sum;
}

template <class T>
void standardize_row(const T* x, int64_t n, double epsilon, T* y, double& inverse) {
    const double count = static_cast<double>(n);
    const T mean = static_cast<T>(lane_sum<T>(n, [=](int64_t i) { return x[i]; }) / count);
    const double squares = lane_sum<T>(n, [=](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
    inverse = 1.0 / std::sqrt(squares / count + epsilon);
    const T scale = static_cast<T>(inverse);
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale;
}

template <class T>
void standardize_backward_row(const T* dy, const T* y, int64_t n, T inverse, T* dx) {
    const double count = static_cast<double>(n);
    const T mean = static_cast<T>(lane_sum<T>(n, [=](int64_t i) { return dy[i]; }) / count);
    const T product = static_cast<T>(lane_sum<T>(n, [=](int64_t i) { return dy[i] * y[i]; }) / count);
    for (int64_t i = 0; i < n; ++i) dx[i] = (dy[i] - mean - y[i] * product) * inverse;
}

}  // namespace

// x [..., L...] -> y of x's shape, mean 0 and variance 1 over each row; 1 / standard deviation [rows]
void standardize(const OpCall& call, const StandardizeParams& params) {
    expect_operands(call, 1, 2);
    const TensorView &x = call.inputs[0], &y = call.outputs[0], &inverse = call.outputs[1];
    const RowPlan plan(x, params.axis);
    if (element_count(inverse) != plan.count) fail("needs one standard deviation per row");
    if (plan.length == 0) return;
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseRows<T> from(x);
        plan.each([&](int64_t row) {
            WorkBuffer<T> to(plan.length);
            double spread;
            standardize_row(from[row * plan.length], plan.length, params.epsilon.values[0], to.data(),
                            spread);
            store_block(y.dtype, element(y, row * plan.length), 1, plan.length, to.data());
            store_block(inverse.dtype, element(inverse, row), 1, 1, &spread);
        });
    });
}

// dy, y [..., L...], 1 / standard deviation [rows] -> dx = (dy - mean(dy) - y mean(dy y)) / standard
// deviation
void standardize_backward(const OpCall& call, const AxisParams& params) {
    expect_operands(call, 3, 1);
    const TensorView &dy = call.inputs[0], &y = call.inputs[1], &inverse = call.inputs[2],
                     &dx = call.outputs[0];
    const RowPlan plan(y, params.axis);
    if (element_count(inverse) != plan.count) fail("needs one standard deviation per row");
    if (plan.length == 0) return;
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseRows<T> gradient(dy), result(y);
        plan.each([&](int64_t row) {
            WorkBuffer<T> to(plan.length);
            T spread;
            load_block(inverse.dtype, element(inverse, row), 1, 1, &spread);
            standardize_backward_row(gradient[row * plan.length], result[row * plan.length], plan.length,
                                     spread, to.data());
            store_block(dx.dtype, element(dx, row * plan.length), 1, plan.length, to.data());
        });
    });
}

}  // namespace nativegrad::cpu
