#include <atomic>
#include <cmath>

#include "cpu/cpu_backend.h"
#include "cpu/ops/fold_functions.h"

namespace nativegrad::cpu {

namespace {

template <class V>
void write_value(const TensorView& out, int64_t i, V value) {
    store_block(out.dtype, element(out, i), 1, 1, &value);
}

template <class T>
struct Reduction {
    const TensorView& x;
    const TensorView& out;
    const ReductionPlan& plan;
    double p0;

    template <class F>
    void run(const F& f) const {
        fold<T>(x, plan, f, [&](int64_t i, auto state) { write_value(out, i, state); });
    }

    void mean() const {
        const double scale = 1.0 / static_cast<double>(plan.count);
        fold<T>(x, plan, SumFold<T>{}, [&](int64_t i, auto total) {
            // 0 / 0 is NaN where there is nothing to average.
            write_value(out, i, plan.count == 0 ? std::nan("") : static_cast<double>(total) * scale);
        });
    }

    // Two passes: the means, then the squares around them; p0 is the correction (1 = Bessel's).
    void variance(bool root) const {
        const WorkBuffer<double> means(plan.outputs);
        const double count = static_cast<double>(plan.count), divisor = std::max(count - p0, 0.0);
        fold<T>(x, plan, SumFold<T>{},
                [&](int64_t i, auto total) { means.data()[i] = static_cast<double>(total) / count; });
        fold<T>(x, plan, SquaresFold<T>{means.data()}, [&](int64_t i, double total) {
            // The center was rounded to T: sum (x - m)^2 = sum (x - c)^2 - n (m - c)^2.
            const double gap = means.data()[i] - static_cast<double>(static_cast<T>(means.data()[i]));
            const double squares = std::is_same_v<T, float> ? total - count * gap * gap : total;
            const double result = (squares < 0 ? 0.0 : squares) / divisor;
            write_value(out, i, root ? std::sqrt(result) : result);
        });
    }

    void logsumexp() const {
        const WorkBuffer<T> largest(plan.outputs);
        fold<T>(x, plan, ExtremeFold<T, true>{}, [&](int64_t i, T best) { largest.data()[i] = best; });
        fold<T>(x, plan, ExpFold<T>{largest.data()}, [&](int64_t i, double total) {
            const double shift = static_cast<double>(largest.data()[i]);
            write_value(out, i, std::isfinite(shift) ? shift + std::log(total) : shift);
        });
    }

    void norm(double p) const {
        if constexpr (std::is_same_v<T, float>) {
            if (p == 2 && norm2_in_float()) return;
        }
        const PlainFold<T, PowerStep<T>> powers{{p}};
        fold<T>(x, plan, powers, [&](int64_t i, double total) {
            write_value(out, i, p == 1 ? total : p == 2 ? std::sqrt(total) : std::pow(total, 1 / p));
        });
    }

    // False where squares may have left the range of float, so that the result is worth nothing.
    bool norm2_in_float() const {
        const WorkBuffer<double> zeros(plan.outputs);
        std::fill(zeros.data(), zeros.data() + plan.outputs, 0.0);
        std::atomic<bool> in_range{true};
        fold<T>(x, plan, SquaresFold<T>{zeros.data()}, [&](int64_t i, double total) {
            if (!(total > 1e-24 * static_cast<double>(plan.count) && total < 1e38)) in_range = false;
            write_value(out, i, std::sqrt(total));
        });
        return in_range;
    }
};

template <class T>
void run_reduce(ReduceFunction function, const Reduction<T>& reduction) {
    switch (function) {
        case ReduceFunction::sum:
            return reduction.run(SumFold<T>{});
        case ReduceFunction::mean:
            return reduction.mean();
        case ReduceFunction::prod:
            return reduction.run(PlainFold<T, ProdStep<T>>{});
        case ReduceFunction::max:
            return reduction.run(ExtremeFold<T, true>{});
        case ReduceFunction::min:
            return reduction.run(ExtremeFold<T, false>{});
        case ReduceFunction::abs_max:
            return reduction.run(PlainFold<T, ExtremeStep<T, true, true>>{});
        case ReduceFunction::abs_min:
            return reduction.run(PlainFold<T, ExtremeStep<T, false, true>>{});
        case ReduceFunction::var:
            return reduction.variance(false);
        case ReduceFunction::std:
            return reduction.variance(true);
        case ReduceFunction::logsumexp:
            return reduction.logsumexp();
        case ReduceFunction::any:
            return reduction.run(PlainFold<T, LogicStep<T, false>>{});
        case ReduceFunction::all:
            return reduction.run(PlainFold<T, LogicStep<T, true>>{});
        case ReduceFunction::count_nonzero:
            return reduction.run(PlainFold<T, CountStep<T>>{});
        case ReduceFunction::norm1:
            return reduction.norm(1);
        case ReduceFunction::norm2:
            return reduction.norm(2);
        case ReduceFunction::norm_p:
            return reduction.norm(reduction.p0);
        case ReduceFunction::count:
            break;
    }
}

bool has_identity(ReduceFunction function) {
    switch (function) {
        case ReduceFunction::max:
        case ReduceFunction::min:
        case ReduceFunction::abs_max:
        case ReduceFunction::abs_min:
            return false;
        default:
            return true;
    }
}

}  // namespace

// x [...] -> out: x without the reduced axes (or with size 1 there), row-major
void reduce(const OpCall& call, const ReduceParams& params) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    const ReductionPlan plan(x, params.axes, false);
    const auto function = static_cast<ReduceFunction>(params.function);
    if (params.function < 0 || function >= ReduceFunction::count) fail("no function %d", params.function);
    if (element_count(out) != plan.outputs || !is_row_major(out)) fail("the output has the wrong size");
    if (plan.count == 0 && plan.outputs > 0 && !has_identity(function)) fail("no elements to choose from");
    with_compute_type(x.dtype, [&](auto type) {
        using T = decltype(type);
        run_reduce(function, Reduction<T>{x, out, plan, params.p0});
    });
}

}  // namespace nativegrad::cpu
