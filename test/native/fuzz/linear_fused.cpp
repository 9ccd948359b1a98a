// The fused calls of linear layers: products with a function behind them, and gradients with an update.
#include <algorithm>
#include <cmath>

#include "ops/functions.h"
#include "updates.h"

namespace nativegrad::fuzz {

namespace {

struct Sizes {
    int64_t m, n, k;
};

Sizes draw_sizes(Workbench& bench) {
    Random& random = bench.random();
    Sizes s{};
    // Work that the threads divide by rows or columns of the result; some of it in blocks that they share.
    if (bench.large()) {
        if (random.chance(0.2))
            return {random.integer(300, 450), random.integer(440, 500), random.integer(370, 450)};
        do {
            s = {random.size(300), random.integer(20, 300),
                 random.integer(20, random.chance(0.2) ? 1700 : 300)};
        } while (s.m * s.n * s.k < 400000 || s.m * s.n * s.k > 8000000);
        return s;
    }
    const bool small = random.chance(0.95);
    do {
        const int64_t largest = small ? 70 : 300;
        s = {random.size(largest), random.size(largest), random.size(small ? 130 : 1700)};
    } while (s.m * s.n * s.k > (small ? 60000 : 600000));
    for (int64_t* size : {&s.m, &s.n, &s.k}) {
        if (random.chance(0.01)) *size = 0;
    }
    return s;
}

DType draw_float(Random& random) {
    return random.pick({DType::float32, DType::float32, DType::float32, DType::float64, DType::bfloat16,
                        DType::bfloat16, DType::float16});
}

// Of a large product, the last rows and columns and some others are looked at closely.
bool is_checked(int64_t i, int64_t j, int64_t rows, int64_t columns, int64_t depth) {
    return rows * columns * depth < 600000 || i % 29 == 0 || j % 31 == 5 || i >= rows - 2 || j >= columns - 2;
}

// Sums over `depth` of a(i, p) b(p, j) (+ bias[j]), row by row, rounded to `dtype`. The factors are below 2.
template <class A, class B>
std::vector<Expected> product_sums(int64_t rows, int64_t columns, int64_t depth, const A& a, const B& b,
                                   const Operand* bias, DType dtype) {
    std::vector<Expected> sums;
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            if (!is_checked(i, j, rows, columns, depth)) {
                sums.push_back({0, 4.0 * static_cast<double>(depth + 1)});
                continue;
            }
            Sum sum;
            for (int64_t p = 0; p < depth; ++p) sum.add(a(i, p) * b(p, j));
            if (bias != nullptr) sum.add(bias->values[static_cast<size_t>(j)]);
            sums.push_back(sum.within(compute_of(dtype), dtype));
        }
    }
    return sums;
}

double at(const Operand& x, int64_t row, int64_t column) {
    return x.values[static_cast<size_t>(row * x.view.shape[1] + column)];
}

// x w^T (+ b), or dy w
std::vector<Expected> layer_sums(const Operand& x, const Operand& w, const Operand* bias, bool turned,
                                 DType dtype) {
    return product_sums(
        x.view.shape[0], w.view.shape[turned ? 0 : 1], x.view.shape[1],
        [&](int64_t i, int64_t p) { return at(x, i, p); },
        [&](int64_t p, int64_t j) { return turned ? at(w, j, p) : at(w, p, j); }, bias, dtype);
}

// A function whose slope is at most 1, of a value that is known within an error and rounded to `out`.
template <class F>
Expected mapped(const F& f, const Expected& x, DType out) {
    const double value = f(x.value);
    const double rounding = (16 * unit_roundoff(compute_of(out)) + 1.01 * unit_roundoff(out));
    return {value, x.error + rounding * (std::fabs(value) + std::fabs(x.error)) + 2 * tiny(out)};
}

struct Activation {
    UnaryFunction function;
    double p0;
    double operator()(double x) const {
        switch (function) {
            case UnaryFunction::relu:
                return std::isnan(x) ? x : std::max(x, 0.0);
            case UnaryFunction::leaky_relu:
                return x > 0 || std::isnan(x) ? x : p0 * x;
            case UnaryFunction::tanh:
                return std::tanh(x);
            case UnaryFunction::sigmoid:
                return 1 / (1 + std::exp(-x));
            default:
                return -x;
        }
    }
};

struct Joined {
    BinaryFunction function;
    double operator()(double x, double other) const {
        if (function == BinaryFunction::add) return x + other;
        if (function == BinaryFunction::sub) return x - other;
        return other > 0 ? x : 0;
    }
};

std::vector<Check> check_activation(const Case& made, const Activation& f) {
    const Operand* bias = made.inputs.size() == 3 ? &made.inputs[2] : nullptr;
    const DType dtype = made.outputs[0].view.dtype;
    std::vector<Expected> kept = layer_sums(made.inputs[0], made.inputs[1], bias, true, dtype), y;
    for (const Expected& sum : kept) y.push_back(mapped(f, sum, dtype));
    std::vector<Check> checks{{&made.outputs[0], "y", std::move(y), true}};
    if (made.outputs.size() == 2) checks.push_back({&made.outputs[1], "sums", std::move(kept)});
    return checks;
}

Case draw_activation(Workbench& bench) {
    Random& random = bench.random();
    const auto normal = [&] { return random.uniform(-1, 1) + random.uniform(-1, 1); };
    const Sizes s = draw_sizes(bench);
    const DType dtype = draw_float(random);
    using F = UnaryFunction;
    const Activation f{random.pick({F::relu, F::leaky_relu, F::tanh, F::sigmoid, F::neg}), 0.1};
    Case made;
    made.inputs.push_back(bench.input({s.m, s.k}, dtype, Layout::any, normal));
    made.inputs.push_back(bench.input({s.n, s.k}, dtype, Layout::any, normal));
    if (random.chance(0.7)) made.inputs.push_back(bench.input({s.n}, dtype, Layout::row_major, normal));
    if (!bench.large() && random.chance(0.1))
        bench.spoil(made.inputs[static_cast<size_t>(random.integer(0, 1))]);
    for (int outputs = random.chance(0.4) ? 2 : 1; outputs > 0; --outputs)
        made.outputs.push_back(bench.output({s.m, s.n}, dtype));
    call_with(made, OpCode::linear_activation,
              UnaryParams{static_cast<int32_t>(f.function), bench.slot(f.p0), bench.slot(0)});
    made.checks = [f](const Case& ran) { return check_activation(ran, f); };
    made.text = "function " + std::to_string(static_cast<int32_t>(f.function));
    return made;
}

std::vector<Check> check_joined(const Case& made, const Joined& f, bool turned) {
    const Operand* bias = made.inputs.size() == 4 ? &made.inputs[3] : nullptr;
    const DType dtype = made.outputs[0].view.dtype;
    const std::vector<Expected> sums = layer_sums(made.inputs[0], made.inputs[1], bias, turned, dtype);
    std::vector<Expected> expected;
    for (size_t i = 0; i < sums.size(); ++i) {
        const double other = made.inputs[2].values[i];
        expected.push_back(mapped([&](double x) { return f(x, other); }, sums[i], dtype));
    }
    return {{&made.outputs[0], turned ? "y" : "dx", std::move(expected), true}};
}

// x w^T (+ b) with a residual, or dy w with a mask
Case draw_joined(Workbench& bench) {
    Random& random = bench.random();
    const auto normal = [&] { return random.uniform(-1, 1) + random.uniform(-1, 1); };
    const Sizes s = draw_sizes(bench);
    const DType dtype = draw_float(random);
    const bool turned = random.chance(0.5);
    using F = BinaryFunction;
    const Joined f{random.pick({F::add, F::sub, F::relu_backward})};
    Case made;
    made.inputs.push_back(bench.input({s.m, s.k}, dtype, Layout::any, normal));
    made.inputs.push_back(
        bench.input(turned ? Shape{s.n, s.k} : Shape{s.k, s.n}, dtype, Layout::any, normal));
    made.inputs.push_back(bench.input({s.m, s.n}, dtype, Layout::row_major, normal));
    if (turned && random.chance(0.7))
        made.inputs.push_back(bench.input({s.n}, dtype, Layout::row_major, normal));
    if (!bench.large() && random.chance(0.1))
        bench.spoil(made.inputs[static_cast<size_t>(random.integer(0, 1))]);
    made.outputs.push_back(bench.output({s.m, s.n}, dtype));
    call_with(made, turned ? OpCode::linear_residual : OpCode::linear_backward_input,
              BinaryParams{static_cast<int32_t>(f.function), bench.slot(0), bench.slot(0)});
    made.checks = [f, turned](const Case& ran) { return check_joined(ran, f, turned); };
    made.text = "function " + std::to_string(static_cast<int32_t>(f.function));
    return made;
}

// dy^T x, and the sums of dy's columns, rounded to the factors' dtype
std::vector<Expected> weight_gradient(const Operand& dy, const Operand& x) {
    return product_sums(
        dy.view.shape[1], x.view.shape[1], dy.view.shape[0],
        [&](int64_t i, int64_t p) { return at(dy, p, i); }, [&](int64_t p, int64_t j) { return at(x, p, j); },
        nullptr, dy.view.dtype);
}

std::vector<Expected> bias_gradient(const Operand& dy) {
    std::vector<Expected> expected;
    for (int64_t j = 0; j < dy.view.shape[1]; ++j) {
        Sum sum;
        for (int64_t i = 0; i < dy.view.shape[0]; ++i) sum.add(at(dy, i, j));
        expected.push_back(sum.within(compute_of(dy.view.dtype), dy.view.dtype));
    }
    return expected;
}

// dy [M, N], x [M, K]
Case draw_factors(Workbench& bench, const Sizes& s, DType dtype) {
    Random& random = bench.random();
    const auto normal = [&] { return random.uniform(-1, 1) + random.uniform(-1, 1); };
    Case made;
    made.inputs.push_back(bench.input({s.m, s.n}, dtype, Layout::any, normal));
    made.inputs.push_back(bench.input({s.m, s.k}, dtype, Layout::any, normal));
    return made;
}

Case draw_weight_gradient(Workbench& bench) {
    Random& random = bench.random();
    const Sizes s = draw_sizes(bench);
    const DType dtype = draw_float(random);
    const bool half = dtype == DType::bfloat16 || dtype == DType::float16;
    const auto out = [&] { return half && random.chance(0.5) ? DType::float32 : dtype; };
    Case made = draw_factors(bench, s, dtype);
    if (!bench.large() && random.chance(0.1))
        bench.spoil(made.inputs[static_cast<size_t>(random.integer(0, 1))]);
    made.outputs.push_back(bench.output({s.n, s.k}, out()));
    if (random.chance(0.7)) made.outputs.push_back(bench.output({s.n}, out()));
    call_with(made, OpCode::linear_backward_weight, NoParams{});
    made.checks = [](const Case& ran) {
        std::vector<Check> checks{{&ran.outputs[0], "dw", weight_gradient(ran.inputs[0], ran.inputs[1])}};
        if (ran.outputs.size() == 2) checks.push_back({&ran.outputs[1], "db", bias_gradient(ran.inputs[0])});
        return checks;
    };
    return made;
}

// What an update makes of gradients that are known within an error: the worst of both ends, and rounding.
template <class Settings>
std::vector<Check> check_group(const Case& made, size_t first, size_t size, const Settings& settings,
                               const std::vector<Expected>& gradient) {
    std::vector<std::vector<Expected>> expected(size);
    for (size_t i = 0; i < gradient.size(); ++i) {
        const auto updated = [&](double g) {
            Element e{made.outputs[first].values[i], g};
            for (size_t k = 1; k < size; ++k) e.push_back(made.outputs[first + k].values[i]);
            settings.update(e);
            e.erase(e.begin() + 1);
            return e;
        };
        const double g = gradient[i].value, error = gradient[i].error;
        const Element middle = updated(g), low = updated(g - error), high = updated(g + error);
        for (size_t k = 0; k < size; ++k) {
            const double old = made.outputs[first + k].values[i];
            const double scale = std::fabs(old) + std::fabs(g) + std::fabs(middle[k]) + 1;
            const double spread = std::fabs(low[k] - middle[k]) + std::fabs(high[k] - middle[k]);
            expected[k].push_back({middle[k], 2 * spread + 40 * unit_roundoff(DType::float32) * scale});
        }
    }
    std::vector<Check> checks;
    for (size_t k = 0; k < size; ++k)
        checks.push_back(
            {&made.outputs[first + k], "output " + std::to_string(first + k), std::move(expected[k])});
    return checks;
}

template <class Settings>
Case draw_update(Workbench& bench, OpCode op, const Settings& settings, size_t size, size_t squares_from) {
    Random& random = bench.random();
    const Sizes s = draw_sizes(bench);
    const DType dtype = random.pick({DType::float32, DType::float32, DType::bfloat16, DType::float16});
    Case made = draw_factors(bench, s, dtype);
    const bool with_bias = random.chance(0.7);
    for (const Shape& shape : {Shape{s.n, s.k}, Shape{s.n}}) {
        if (shape.size() == 1 && !with_bias) continue;
        for (size_t k = 0; k < size; ++k) {
            const double low = k >= squares_from ? 0.01 : -1;
            made.outputs.push_back(bench.in_place(shape, DType::float32, Layout::row_major,
                                                  [&] { return random.uniform(low, 1); }));
        }
    }
    call_with(made, op, params_of(bench, settings));
    made.checks = [settings, size, with_bias](const Case& ran) {
        std::vector<Check> checks =
            check_group(ran, 0, size, settings, weight_gradient(ran.inputs[0], ran.inputs[1]));
        if (!with_bias) return checks;
        for (Check& check : check_group(ran, size, size, settings, bias_gradient(ran.inputs[0])))
            checks.push_back(std::move(check));
        return checks;
    };
    return made;
}

}  // namespace

// x, w (, b) -> f(x w^T + b) (, its sums); x, w, r (, b), or dy, w, kept; dy, x -> dw (, db), or an update
Case draw_linear_fused(Workbench& bench) {
    Random& random = bench.random();
    switch (random.integer(0, 4)) {
        case 0:
            return draw_activation(bench);
        case 1:
            return draw_joined(bench);
        case 2:
            return draw_weight_gradient(bench);
        case 3: {
            const AdamSettings adam = draw_adam(random);
            return draw_update(bench, OpCode::linear_backward_weight_adam, adam, adam.amsgrad ? 4 : 3, 2);
        }
        default: {
            const SgdSettings sgd = draw_sgd(random);
            return draw_update(bench, OpCode::linear_backward_weight_sgd, sgd, sgd.has_velocity ? 2 : 1, 9);
        }
    }
}

}  // namespace nativegrad::fuzz
