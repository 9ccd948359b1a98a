#include <cmath>

#include "case.h"
#include "ops/functions.h"

namespace nativegrad::fuzz {

namespace {

using U = UnaryFunction;
using B = BinaryFunction;
using C = CompareFunction;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double phi(double x) { return 0.5 * (1 + std::erf(x * std::sqrt(0.5))); }

// A value, and the size that its rounding errors are measured by.
struct Sized {
    double value, size;
    Sized(double v) : value(v), size(std::fabs(v)) {}
    Sized(double v, double s) : value(v), size(s) {}
};

constexpr double slope = 0.1, alpha = 1.5, beta = 2, threshold = 6;

double gelu_tanh(double x) { return std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)); }

struct UnaryRow {
    U function;
    Sized (*formula)(double x);
    double low, high;
    double p0 = 0, p1 = 0;
};

const UnaryRow unary_rows[] = {
    {U::abs, [](double x) { return Sized(std::fabs(x)); }, -9, 9},
    {U::neg, [](double x) { return Sized(-x); }, -9, 9},
    {U::square, [](double x) { return Sized(x * x); }, -9, 9},
    {U::floor, [](double x) { return Sized(std::floor(x)); }, -9, 9},
    {U::ceil, [](double x) { return Sized(std::ceil(x)); }, -9, 9},
    {U::round, [](double x) { return Sized(std::nearbyint(x)); }, -9, 9},
    {U::trunc, [](double x) { return Sized(std::trunc(x)); }, -9, 9},
    {U::exp, [](double x) { return Sized(std::exp(x)); }, -12, 9},
    {U::expm1, [](double x) { return Sized(std::expm1(x)); }, -12, 9},
    {U::log, [](double x) { return Sized(std::log(x)); }, 0.001, 50},
    {U::log1p, [](double x) { return Sized(std::log1p(x)); }, -0.9, 50},
    {U::sqrt, [](double x) { return Sized(std::sqrt(x)); }, 0, 50},
    {U::rsqrt, [](double x) { return Sized(1 / std::sqrt(x)); }, 0.01, 50},
    {U::reciprocal, [](double x) { return Sized(1 / x); }, 0.01, 50},
    {U::erf, [](double x) { return Sized(std::erf(x)); }, -5, 5},
    {U::tanh, [](double x) { return Sized(std::tanh(x)); }, -12, 12},
    {U::sigmoid, [](double x) { return Sized(sigmoid(x)); }, -20, 20},
    {U::relu, [](double x) { return Sized(x <= 0 ? 0 : x); }, -3, 3},
    {U::gelu, [](double x) { return Sized(x * phi(x), std::fabs(x)); }, -6, 6},
    {U::silu, [](double x) { return Sized(x * sigmoid(x)); }, -12, 12},
    {U::sign, [](double x) { return Sized(x > 0   ? 1
                                          : x < 0 ? -1
                                                  : 0); }, -2, 2},
    {U::clamp, [](double x) { return Sized(x < -1  ? -1
                                           : x > 2 ? 2
                                                   : x); }, -4, 4, -1, 2},
    {U::log2, [](double x) { return Sized(std::log2(x)); }, 0.001, 50},
    {U::sin, [](double x) { return Sized(std::sin(x), 1); }, -20, 20},
    {U::cos, [](double x) { return Sized(std::cos(x), 1); }, -20, 20},
    {U::tan, [](double x) { return Sized(std::tan(x), 1 + 2 * std::fabs(std::tan(x))); }, -1.4, 1.4},
    {U::leaky_relu, [](double x) { return Sized(x > 0 ? x : x * slope); }, -3, 3, slope},
    {U::elu, [](double x) { return Sized(x > 0 ? x : alpha * std::expm1(x)); }, -9, 9, alpha},
    {U::gelu_tanh, [](double x) { return Sized(0.5 * x * (1 + gelu_tanh(x)), std::fabs(x)); }, -6, 6},
    {U::softplus,
     [](double x) {
         return Sized(x * beta > threshold ? x : std::log1p(std::exp(x * beta)) / beta, std::fabs(x) + 1);
     },
     -9, 9, beta, threshold},
};

// Of whole numbers, in int32 or int64: exact.
const UnaryRow whole_unary_rows[] = {
    {U::abs, [](double x) { return Sized(std::fabs(x)); }, -9, 9},
    {U::neg, [](double x) { return Sized(-x); }, -9, 9},
    {U::sign, [](double x) { return Sized(x > 0   ? 1
                                          : x < 0 ? -1
                                                  : 0); }, -2, 2},
    {U::square, [](double x) { return Sized(x * x); }, -9, 9},
    {U::floor, [](double x) { return Sized(x); }, -9, 9},
    {U::ceil, [](double x) { return Sized(x); }, -9, 9},
    {U::round, [](double x) { return Sized(x); }, -9, 9},
    {U::trunc, [](double x) { return Sized(x); }, -9, 9},
    {U::clamp, [](double x) { return Sized(x < -1  ? -1
                                           : x > 2 ? 2
                                                   : x); }, -4, 4, -1, 2},
    {U::relu, [](double x) { return Sized(x <= 0 ? 0 : x); }, -3, 3},
};

struct BinaryRow {
    B function;
    Sized (*formula)(double a, double b);
    double low, high;  // of b
    double p0 = 0, p1 = 0;
};

double nan_of(double a, double b, double otherwise) {
    return std::isnan(a) ? a : std::isnan(b) ? b : otherwise;
}

const BinaryRow binary_rows[] = {
    {B::add, [](double a, double b) { return Sized(a + b); }, -9, 9},
    {B::sub, [](double a, double b) { return Sized(a - b); }, -9, 9},
    {B::mul, [](double a, double b) { return Sized(a * b); }, -9, 9},
    {B::div, [](double a, double b) { return Sized(a / b); }, 0.1, 9},
    {B::minimum, [](double a, double b) { return Sized(nan_of(a, b, a < b ? a : b)); }, -9, 9},
    {B::maximum, [](double a, double b) { return Sized(nan_of(a, b, a > b ? a : b)); }, -9, 9},
    {B::relu_backward, [](double a, double b) { return Sized(b <= 0 ? 0 : a); }, -1, 1},
    {B::sigmoid_backward, [](double a, double b) { return Sized(a * b * (1 - b), std::fabs(a * b)); }, 0, 1},
    {B::tanh_backward, [](double a, double b) { return Sized(a * (1 - b * b), std::fabs(a)); }, -1, 1},
    {B::gelu_backward,
     [](double a, double x) {
         const double density = 0.39894228040143267794 * std::exp(-0.5 * x * x);
         return Sized(a * (phi(x) + x * density), std::fabs(a) * (1 + std::fabs(x * density)));
     },
     -6, 6},
    {B::leaky_relu_backward, [](double a, double b) { return Sized(b > 0 ? a : a * slope); }, -1, 1, slope},
    {B::elu_backward, [](double a, double x) { return Sized(x > 0 ? a : a * alpha * std::exp(x)); }, -9, 9,
     alpha},
    {B::gelu_tanh_backward,
     [](double a, double x) {
         const double t = gelu_tanh(x), rise = 0.79788456080286535588 * (1 + 0.134145 * x * x);
         const double slopes = std::fabs(x) * rise;
         return Sized(a * 0.5 * (1 + t + x * (1 - t * t) * rise), std::fabs(a) * (1 + 2 * slopes));
     },
     -6, 6},
    {B::silu_backward,
     [](double a, double x) {
         const double y = sigmoid(x);
         return Sized(a * y * (1 + x * (1 - y)), std::fabs(a * y) * (1 + std::fabs(x)));
     },
     -12, 12},
    {B::softplus_backward,
     [](double a, double x) { return Sized(x * beta > threshold ? a : a * sigmoid(x * beta)); }, -9, 9, beta,
     threshold},
};

// Of small whole numbers, in any dtype: exact.
const BinaryRow whole_binary_rows[] = {
    {B::add, [](double a, double b) { return Sized(a + b); }, -9, 9},
    {B::sub, [](double a, double b) { return Sized(a - b); }, -9, 9},
    {B::mul, [](double a, double b) { return Sized(a * b); }, -9, 9},
    {B::floor_divide, [](double a, double b) { return Sized(std::floor(a / b)); }, 1, 9},
    {B::floor_divide, [](double a, double b) { return Sized(std::floor(a / b)); }, -9, -1},
    {B::remainder, [](double a, double b) { return Sized(a - b * std::floor(a / b)); }, 1, 9},
    {B::remainder, [](double a, double b) { return Sized(a - b * std::floor(a / b)); }, -9, -1},
    {B::pow, [](double a, double b) { return Sized(std::pow(a, b)); }, 0, 3},
    {B::minimum, [](double a, double b) { return Sized(a < b ? a : b); }, -9, 9},
    {B::maximum, [](double a, double b) { return Sized(a > b ? a : b); }, -9, 9},
};

DType draw_float(Random& random) {
    return random.pick(
        {DType::float32, DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16});
}

Expected rounded_result(const Sized& result, DType dtype, double ulps) {
    const double error = ulps * unit_roundoff(compute_of(dtype)) * result.size;
    return {result.value, error + 1.01 * unit_roundoff(dtype) * std::fabs(result.value) + 2 * tiny(dtype)};
}

struct Broadcast {
    Shape shape, a, b;
};

// Where an element of `shape` lies in an operand that broadcasts to it.
size_t index_in(const Shape& shape, const Shape& own, size_t index) {
    size_t result = 0, stride = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
        const size_t size = static_cast<size_t>(shape[shape.size() - 1 - i]), at = index % size;
        index /= size;
        if (i >= own.size()) continue;
        const size_t length = static_cast<size_t>(own[own.size() - 1 - i]);
        result += (length == 1 ? 0 : at) * stride;
        stride *= length;
    }
    return result;
}

Shape draw_shape(Random& random, int64_t largest) {
    Shape shape(static_cast<size_t>(random.integer(0, 4)));
    do {
        for (int64_t& size : shape) size = random.chance(0.3) ? random.size(300) : random.integer(1, 24);
    } while (size_of(shape) > largest);
    return shape;
}

Shape broadcast_from(Random& random, Shape shape) {
    if (random.chance(0.4)) return shape;
    for (int64_t& size : shape) size = random.chance(0.4) ? 1 : size;
    while (!shape.empty() && random.chance(0.3)) shape.erase(shape.begin());
    return shape;
}

Broadcast draw_broadcast(Random& random, int64_t largest) {
    Broadcast made;
    made.shape = draw_shape(random, largest);
    made.a = random.chance(0.6) ? made.shape : broadcast_from(random, made.shape);
    made.b = broadcast_from(random, made.shape);
    return made;
}

template <class Row, size_t count>
const Row& one_of(Random& random, const Row (&rows)[count]) {
    return rows[static_cast<size_t>(random.integer(0, static_cast<int64_t>(count) - 1))];
}

double draw_value(Random& random, bool whole, double low, double high) {
    if (!whole) return random.uniform(low, high);
    return static_cast<double>(random.integer(static_cast<int64_t>(low), static_cast<int64_t>(high)));
}

Case draw_unary(Workbench& bench) {
    Random& random = bench.random();
    const bool whole = random.chance(0.2);
    const UnaryRow& row = whole ? one_of(random, whole_unary_rows) : one_of(random, unary_rows);
    const Shape shape = draw_shape(random, bench.large() ? 100000 : 8000);
    const DType dtype = whole ? random.pick({DType::int32, DType::int64}) : draw_float(random);
    Case made;
    made.inputs.push_back(
        bench.input(shape, dtype, Layout::any, [&] { return draw_value(random, whole, row.low, row.high); }));
    if (!whole && random.chance(0.15)) bench.spoil(made.inputs[0]);
    made.outputs.push_back(bench.output(shape, dtype, Layout::any));
    call_with(made, OpCode::unary,
              UnaryParams{static_cast<int32_t>(row.function), bench.slot(row.p0), bench.slot(row.p1)});
    made.checks = [formula = row.formula](const Case& ran) {
        std::vector<Expected> expected;
        for (const double x : ran.inputs[0].values)
            expected.push_back(rounded_result(formula(x), ran.outputs[0].view.dtype, 12));
        return std::vector<Check>{{&ran.outputs[0], "y", std::move(expected)}};
    };
    made.text = "function " + std::to_string(static_cast<int32_t>(row.function));
    return made;
}

Case draw_binary(Workbench& bench) {
    Random& random = bench.random();
    const bool whole = random.chance(0.25);
    const BinaryRow& row = whole ? one_of(random, whole_binary_rows) : one_of(random, binary_rows);
    const Broadcast shapes = draw_broadcast(random, bench.large() ? 100000 : 8000);
    const DType dtype = !whole
                            ? draw_float(random)
                            : random.pick({DType::int32, DType::int64, DType::int64, DType::float32,
                                           DType::float64, DType::float64, DType::bfloat16, DType::float16});
    const auto drawn = [&](double low, double high) { return draw_value(random, whole, low, high); };
    Case made;
    made.inputs.push_back(bench.input(shapes.a, dtype, Layout::any, [&] { return drawn(-9, 9); }));
    made.inputs.push_back(
        bench.input(shapes.b, dtype, Layout::any, [&] { return drawn(row.low, row.high); }));
    if (!whole && random.chance(0.15)) bench.spoil(made.inputs[static_cast<size_t>(random.integer(0, 1))]);
    made.outputs.push_back(bench.output(shapes.shape, dtype, Layout::any));
    call_with(made, OpCode::binary,
              BinaryParams{static_cast<int32_t>(row.function), bench.slot(row.p0), bench.slot(row.p1)});
    // An infinite gradient times a slope that may have been rounded to 0.
    const bool any_special = static_cast<int32_t>(row.function) > static_cast<int32_t>(B::relu_backward);
    made.checks = [shapes, any_special, formula = row.formula](const Case& ran) {
        std::vector<Expected> expected;
        for (size_t i = 0; i < static_cast<size_t>(size_of(shapes.shape)); ++i) {
            const double a = ran.inputs[0].values[index_in(shapes.shape, shapes.a, i)];
            const double b = ran.inputs[1].values[index_in(shapes.shape, shapes.b, i)];
            expected.push_back(rounded_result(formula(a, b), ran.outputs[0].view.dtype, 16));
        }
        return std::vector<Check>{{&ran.outputs[0], "y", std::move(expected), any_special}};
    };
    made.text = "function " + std::to_string(static_cast<int32_t>(row.function));
    return made;
}

bool compared(C function, double a, double b) {
    switch (function) {
        case C::eq:
            return a == b;
        case C::ne:
            return a != b;
        case C::lt:
            return a < b;
        case C::le:
            return a <= b;
        case C::gt:
            return a > b;
        case C::ge:
            return a >= b;
        case C::logical_and:
            return a != 0 && b != 0;
        case C::logical_or:
            return a != 0 || b != 0;
        default:
            return (a != 0) != (b != 0);
    }
}

// A comparison, or a choice by a condition.
Case draw_choice(Workbench& bench) {
    Random& random = bench.random();
    const Broadcast shapes = draw_broadcast(random, bench.large() ? 100000 : 8000);
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float64, DType::int32});
    const auto few = [&] { return static_cast<double>(random.integer(-2, 2)); };
    Case made;
    const bool compares = random.chance(0.6);
    const C function = random.pick(
        {C::eq, C::ne, C::lt, C::le, C::gt, C::ge, C::logical_and, C::logical_or, C::logical_xor});
    if (!compares)
        made.inputs.push_back(bench.input(shapes.shape, DType::boolean, Layout::any,
                                          [&] { return random.chance(0.5) ? 1.0 : 0.0; }));
    made.inputs.push_back(bench.input(shapes.a, dtype, Layout::any, few));
    made.inputs.push_back(bench.input(shapes.b, dtype, Layout::any, few));
    if (dtype != DType::int32 && random.chance(0.15)) bench.spoil(made.inputs.back());
    made.outputs.push_back(bench.output(shapes.shape, compares ? DType::boolean : dtype, Layout::any));
    if (compares) {
        call_with(made, OpCode::compare,
                  CompareParams{static_cast<int32_t>(function), static_cast<int32_t>(dtype)});
    } else {
        call_with(made, OpCode::where, NoParams{});
    }
    made.checks = [=](const Case& ran) {
        std::vector<Expected> expected;
        const size_t first = compares ? 0 : 1;
        for (size_t i = 0; i < static_cast<size_t>(size_of(shapes.shape)); ++i) {
            const double a = ran.inputs[first].values[index_in(shapes.shape, shapes.a, i)];
            const double b = ran.inputs[first + 1].values[index_in(shapes.shape, shapes.b, i)];
            const bool holds = compared(function, a, b);
            expected.push_back({compares ? (holds ? 1.0 : 0.0) : ran.inputs[0].values[i] != 0 ? a : b, 0});
        }
        return std::vector<Check>{{&ran.outputs[0], "y", std::move(expected)}};
    };
    return made;
}

}  // namespace

Case draw_elementwise(Workbench& bench) {
    const double which = bench.random().uniform();
    return which < 0.35 ? draw_unary(bench) : which < 0.8 ? draw_binary(bench) : draw_choice(bench);
}

// x [...] -> the same elements in another order or dtype
Case draw_copy(Workbench& bench) {
    Random& random = bench.random();
    const Shape shape = draw_shape(random, bench.large() ? 100000 : 12000);
    const auto any = [&] {
        return random.pick({DType::float32, DType::float32, DType::float16, DType::bfloat16, DType::float64,
                            DType::int32, DType::int64, DType::uint8});
    };
    const DType from = any(), to = any();
    const bool whole = !is_float(from) || !is_float(to);
    Case made;
    made.inputs.push_back(bench.input(shape, from, Layout::any, [&] {
        return whole ? static_cast<double>(random.integer(0, 200)) : random.uniform(-100, 100);
    }));
    if (!whole && random.chance(0.2)) bench.spoil(made.inputs[0]);
    made.outputs.push_back(bench.output(shape, to, Layout::any));
    call_with(made, OpCode::copy, NoParams{});
    made.checks = [to](const Case& ran) {
        std::vector<Expected> expected;
        for (const double x : ran.inputs[0].values) expected.push_back({rounded(to, x), 0});
        return std::vector<Check>{{&ran.outputs[0], "copy", std::move(expected)}};
    };
    return made;
}

}  // namespace nativegrad::fuzz
