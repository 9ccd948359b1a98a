#include <algorithm>
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

Expected power_norm_of(const Elements& x, DType dtype) {
    double sum = 0;
    for (const double v : x) sum += std::fabs(v) * v * v;
    const double value = std::cbrt(sum), n = static_cast<double>(x.size());
    return {value, ((n + 32) * unit_roundoff(compute_of(dtype)) + 1.01 * unit_roundoff(dtype)) * value +
                       tiny(dtype)};
}

Expected largest_size_of(Elements x, bool largest) {
    for (double& v : x) v = std::fabs(v);
    return extreme_of(x, largest);
}

// How many are not 0; NaN is not.
double count_of(const Elements& x) {
    return static_cast<double>(std::count_if(x.begin(), x.end(), [](double v) { return v != 0; }));
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
        case ReduceFunction::norm_p:
            return power_norm_of(x, dtype);
        case ReduceFunction::abs_max:
        case ReduceFunction::abs_min:
            return largest_size_of(x, function == ReduceFunction::abs_max);
        case ReduceFunction::count_nonzero:
            return {count_of(x), 0};
        case ReduceFunction::any:
            return {count_of(x) > 0 ? 1.0 : 0.0, 0};
        case ReduceFunction::all:
            return {count_of(x) == static_cast<double>(x.size()) ? 1.0 : 0.0, 0};
        default:
            return product_of(x, dtype);
    }
}

// The elements of each output, in logical order.
std::vector<Elements> elements_of(const Case& made, const Shape& shape, const std::vector<bool>& goes) {
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
    return elements;
}

// Sums of many elements leave the range of float16: infinite then, and either next to its end.
Expected in_range(const Expected& made, DType dtype) {
    constexpr double end = 65520;  // from here on numbers round to infinity
    if (dtype != DType::float16 || !(std::fabs(made.value) + made.error >= end)) return made;
    if (std::fabs(made.value) - made.error < end) return {made.value, INFINITY};
    return {std::copysign(INFINITY, made.value), 0};
}

std::vector<Check> check_reduction(const Case& made, ReduceFunction function, const Shape& shape,
                                   const std::vector<bool>& goes) {
    const Operand& out = made.outputs[0];
    std::vector<Expected> expected;
    for (const Elements& group : elements_of(made, shape, goes))
        expected.push_back(in_range(reduced(function, group, out.view.dtype), out.view.dtype));
    // Of an infinity, a variance is NaN or infinite by the path.
    const bool any_special = function == ReduceFunction::var || function == ReduceFunction::std;
    return {{&out, "reduction", std::move(expected), any_special}};
}

// Where the first extreme lies; the first NaN beats everything.
double place_of_extreme(const Elements& x, bool largest) {
    size_t best = 0;
    for (size_t i = 1; i < x.size() && !std::isnan(x[best]); ++i) {
        if (std::isnan(x[i]) || (largest ? x[i] > x[best] : x[i] < x[best])) best = i;
    }
    return static_cast<double>(best);
}

struct ReducedShape {
    Shape shape, kept;
    std::vector<bool> goes;
    IntList axes;
};

ReducedShape draw_reduced(Workbench& bench) {
    Random& random = bench.random();
    ReducedShape made{Shape(static_cast<size_t>(random.integer(1, 4))), {}, {}, {}};
    do {
        const double long_ones = bench.large() ? 0.8 : 0.4;
        for (int64_t& size : made.shape)
            size = random.chance(long_ones) ? random.size(400) : random.integer(1, 24);
    } while (size_of(made.shape) > (bench.large() ? 200000 : random.chance(0.05) ? 60000 : 8000));
    const bool whole = random.chance(0.15);
    for (size_t axis = 0; axis < made.shape.size(); ++axis) {
        made.goes.push_back(whole || random.chance(0.5));
        if (made.goes[axis]) {
            made.axes.values[made.axes.count++] = static_cast<int64_t>(axis);
        } else {
            made.kept.push_back(made.shape[axis]);
        }
    }
    return made;
}

std::string text_of(const IntList& axes) {
    std::string text = ", axes";
    for (int32_t i = 0; i < axes.count; ++i) text += " " + std::to_string(axes.values[i]);
    return text;
}

DType draw_number(Random& random, bool integers) {
    if (integers) return random.pick({DType::int32, DType::int64});
    return random.pick(
        {DType::float32, DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16});
}

// x [...] -> places of the extremes, counted along the reduced axes
Case draw_arg_reduction(Workbench& bench) {
    Random& random = bench.random();
    const ReducedShape r = draw_reduced(bench);
    const bool largest = random.chance(0.5), integers = random.chance(0.15);
    const DType dtype = draw_number(random, integers);
    // Few different values meet their equals.
    const bool few = integers || random.chance(0.5);
    Case made;
    made.inputs.push_back(bench.input(r.shape, dtype, Layout::any, [&] {
        return few ? static_cast<double>(random.integer(-9, 9)) : random.uniform(-2, 2);
    }));
    if (!integers && random.chance(0.1)) bench.spoil(made.inputs[0]);
    made.outputs.push_back(bench.output(r.kept, DType::int64));
    call_with(
        made, OpCode::arg_reduce,
        ReduceParams{static_cast<int32_t>(largest ? ArgReduceFunction::argmax : ArgReduceFunction::argmin),
                     0.0, r.axes});
    made.checks = [=](const Case& ran) {
        std::vector<Expected> expected;
        for (const Elements& group : elements_of(ran, r.shape, r.goes))
            expected.push_back({place_of_extreme(group, largest), 0});
        return std::vector<Check>{{&ran.outputs[0], "place", std::move(expected)}};
    };
    made.text = (largest ? "largest" : "smallest") + text_of(r.axes);
    return made;
}

}  // namespace

// x [...] -> x without the reduced axes
Case draw_reduction(Workbench& bench) {
    Random& random = bench.random();
    if (random.chance(0.15)) return draw_arg_reduction(bench);
    using F = ReduceFunction;
    const F function =
        random.pick({F::sum, F::sum, F::sum, F::mean, F::max, F::min, F::var, F::std, F::logsumexp, F::norm1,
                     F::norm2, F::norm_p, F::prod, F::abs_max, F::abs_min, F::count_nonzero, F::any, F::all});
    const ReducedShape r = draw_reduced(bench);
    const bool counts = function == F::count_nonzero || function == F::any || function == F::all;
    const bool integers =
        random.chance(0.15) && (function == F::sum || function == F::max || function == F::min || counts);
    const DType dtype = draw_number(random, integers);
    Case made;
    made.inputs.push_back(bench.input(r.shape, dtype, Layout::any, [&] {
        if (counts) return random.chance(0.2) ? 0.0 : 1.0;
        if (integers) return static_cast<double>(random.integer(-9, 9));
        return function == F::prod ? random.uniform(0.9, 1.1) : random.uniform(-2, 2);
    }));
    if (!integers && random.chance(0.1)) bench.spoil(made.inputs[0]);
    const DType out = function == F::any || function == F::all     ? DType::boolean
                      : counts || (integers && function == F::sum) ? DType::int64
                                                                   : dtype;
    made.outputs.push_back(bench.output(r.kept, out));
    const double constant = function == F::norm_p ? 3.0 : 1.0;
    call_with(made, OpCode::reduce, ReduceParams{static_cast<int32_t>(function), constant, r.axes});
    made.checks = [=](const Case& ran) { return check_reduction(ran, function, r.shape, r.goes); };
    made.text = "function " + std::to_string(static_cast<int32_t>(function)) + text_of(r.axes);
    return made;
}

}  // namespace nativegrad::fuzz
