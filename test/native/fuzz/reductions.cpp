#include <cmath>

#include "case.h"
#include "ops/functions.h"

namespace nativegrad::fuzz {

namespace {

// The elements of one output.
using Elements = std::vector<double>;

Expected total_of(const Elements& x, DType dtype, bool mean) {
    Sum sum;
    for (const double v : x) sum.add(v);
    if (mean) {
        sum.value /= static_cast<double>(x.size());
        sum.magnitude /= static_cast<double>(x.size());
    }
    return sum.within(compute_of(dtype), dtype);
}

Expected extreme_of(const Elements& x, bool largest) {
    double best = x[0];
    for (const double v : x) {
        if (std::isnan(v) || (largest ? v > best : v < best)) best = v;
        if (std::isnan(best)) break;
    }
    return {best, 0};
}

Expected variance_of(const Elements& x, DType dtype, bool root) {
    const double n = static_cast<double>(x.size()), u = unit_roundoff(compute_of(dtype));
    double mean = 0, squares = 0, largest = 0;
    for (const double v : x) mean += v / n;
    for (const double v : x) {
        squares += (v - mean) * (v - mean);
        largest = std::max(largest, std::fabs(v));
    }
    const double value = n > 1 ? squares / (n - 1) : NAN;
    const double error = u * (n + 24) * value + 8 * n * u * u * largest * largest;
    const double rounding = 1.01 * unit_roundoff(dtype);
    if (!root) return {value, error + rounding * value + tiny(dtype)};
    const double deviation = std::sqrt(value);
    const double moved = deviation > 0 ? std::min(error / deviation, std::sqrt(error)) : std::sqrt(error);
    return {deviation, moved + rounding * deviation + tiny(dtype)};
}

Expected logsumexp_of(const Elements& x, DType dtype) {
    const double shift = extreme_of(x, true).value, n = static_cast<double>(x.size());
    if (!std::isfinite(shift)) return {shift, 0};
    double total = 0, range = 0;
    for (const double v : x) {
        total += std::exp(v - shift);
        if (std::isfinite(v)) range = std::max(range, shift - v);
    }
    const double value = shift + std::log(total);
    return {value, unit_roundoff(compute_of(dtype)) * (n + 24 + std::min(range, 40.0)) +
                       1.01 * unit_roundoff(dtype) * std::fabs(value) + tiny(dtype)};
}

Expected norm_of(const Elements& x, DType dtype, bool squares) {
    Sum sum;
    for (const double v : x) sum.add(squares ? v * v : std::fabs(v));
    if (!squares) return sum.within(compute_of(dtype), dtype);
    const double value = std::sqrt(sum.value), n = static_cast<double>(x.size());
    return {value, ((n + 16) * unit_roundoff(compute_of(dtype)) + 1.01 * unit_roundoff(dtype)) * value +
                       tiny(dtype)};
}

Expected product_of(const Elements& x, DType dtype) {
    double value = 1;
    for (const double v : x) value *= v;
    const double n = static_cast<double>(x.size());
    return {value, (unit_roundoff(compute_of(dtype)) * n + 1.01 * unit_roundoff(dtype)) * std::fabs(value) +
                       tiny(dtype)};
}

Expected reduced(ReduceFunction function, const Elements& x, DType dtype) {
    switch (function) {
        case ReduceFunction::sum:
            return total_of(x, dtype, false);
        case ReduceFunction::mean:
            return total_of(x, dtype, true);
        case ReduceFunction::max:
            return extreme_of(x, true);
        case ReduceFunction::min:
            return extreme_of(x, false);
        case ReduceFunction::var:
            return variance_of(x, dtype, false);
        case ReduceFunction::std:
            return variance_of(x, dtype, true);
        case ReduceFunction::logsumexp:
            return logsumexp_of(x, dtype);
        case ReduceFunction::norm1:
            return norm_of(x, dtype, false);
        case ReduceFunction::norm2:
            return norm_of(x, dtype, true);
        default:
            return product_of(x, dtype);
    }
}

std::vector<Check> check_reduction(const Case& made, ReduceFunction function, const Shape& shape,
                                   const std::vector<bool>& goes) {
    const Operand &x = made.inputs[0], &out = made.outputs[0];
    std::vector<Elements> elements(static_cast<size_t>(element_count(out.view)));
    for (size_t i = 0; i < x.values.size(); ++i) {
        size_t rest = i, to = 0, stride = 1;
        for (size_t axis = shape.size(); axis-- > 0;) {
            const size_t size = static_cast<size_t>(shape[axis]), at = rest % size;
            rest /= size;
            if (goes[axis]) continue;
            to += at * stride;
            stride *= size;
        }
        elements[to].push_back(x.values[i]);
    }
    std::vector<Expected> expected;
    for (const Elements& group : elements) expected.push_back(reduced(function, group, out.view.dtype));
    // Of an infinity, a variance is NaN or infinite by the path.
    const bool any_special = function == ReduceFunction::var || function == ReduceFunction::std;
    return {{&out, "reduction", std::move(expected), any_special}};
}

}  // namespace

// x [...] -> x without the reduced axes
Case draw_reduction(Workbench& bench) {
    Random& random = bench.random();
    using F = ReduceFunction;
    F function = random.pick({F::sum, F::sum, F::sum, F::mean, F::max, F::min, F::var, F::std, F::logsumexp,
                              F::norm1, F::norm2, F::prod});
    Shape shape(static_cast<size_t>(random.integer(1, 4))), kept;
    do {
        for (int64_t& size : shape) size = random.chance(0.4) ? random.size(400) : random.integer(1, 24);
    } while (size_of(shape) > (random.chance(0.05) ? 60000 : 8000));
    std::vector<bool> goes(shape.size());
    ReduceParams params{static_cast<int32_t>(function), 1.0, {}};
    const bool whole = random.chance(0.15);
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        goes[axis] = whole || random.chance(0.5);
        if (goes[axis]) {
            params.axes.values[params.axes.count++] = static_cast<int64_t>(axis);
        } else {
            kept.push_back(shape[axis]);
        }
    }
    const bool integers =
        random.chance(0.15) && (function == F::sum || function == F::max || function == F::min);
    const DType dtype = integers ? random.pick({DType::int32, DType::int64})
                                 : random.pick({DType::float32, DType::float32, DType::float32,
                                                DType::float64, DType::bfloat16, DType::float16});
    Case made;
    made.inputs.push_back(bench.input(shape, dtype, Layout::any, [&] {
        if (integers) return static_cast<double>(random.integer(-9, 9));
        return function == F::prod ? random.uniform(0.9, 1.1) : random.uniform(-2, 2);
    }));
    if (!integers && random.chance(0.1)) bench.spoil(made.inputs[0]);
    const DType out = integers && function == F::sum ? DType::int64 : dtype;
    made.outputs.push_back(bench.output(kept, out));
    call_with(made, OpCode::reduce, params);
    made.checks = [=](const Case& ran) { return check_reduction(ran, function, shape, goes); };
    made.text = "function " + std::to_string(params.function) + ", axes";
    for (int32_t i = 0; i < params.axes.count; ++i) made.text += " " + std::to_string(params.axes.values[i]);
    return made;
}

}  // namespace nativegrad::fuzz
