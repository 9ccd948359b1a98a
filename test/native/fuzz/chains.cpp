// Several elementwise functions in one pass.
#include <algorithm>
#include <cmath>

#include "case.h"
#include "ops/functions.h"

namespace nativegrad::fuzz {

namespace {

using U = UnaryFunction;
using B = BinaryFunction;

struct Step {
    bool is_binary;
    int32_t function;  // row of its own table
    int64_t left, right;
};

struct Chain {
    Shape shape;
    std::vector<bool> is_row, is_scalar;  // inputs
    std::vector<Step> steps;
    std::vector<int64_t> outputs;  // steps
};

// Functions of slope at most 1, but for the product.
Expected apply_unary(U function, const Expected& x) {
    switch (function) {
        case U::abs:
            return {std::fabs(x.value), x.error};
        case U::neg:
            return {-x.value, x.error};
        case U::relu:
            return {x.value <= 0 ? 0 : x.value, x.error};
        case U::tanh:
            return {std::tanh(x.value), x.error};
        default:
            return {1 / (1 + std::exp(-x.value)), x.error};
    }
}

double nan_of(double a, double b, double otherwise) {
    return std::isnan(a) ? a : std::isnan(b) ? b : otherwise;
}

Expected apply_binary(B function, const Expected& a, const Expected& b) {
    const double least = a.value < b.value ? a.value : b.value, most = a.value > b.value ? a.value : b.value;
    switch (function) {
        case B::add:
            return {a.value + b.value, a.error + b.error};
        case B::sub:
            return {a.value - b.value, a.error + b.error};
        case B::mul:
            return {a.value * b.value,
                    std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error};
        case B::minimum:
            return {nan_of(a.value, b.value, least), std::max(a.error, b.error)};
        case B::maximum:
            return {nan_of(a.value, b.value, most), std::max(a.error, b.error)};
        default:
            // Next to 0 it may fall on either side.
            return {b.value <= 0 ? 0 : a.value,
                    a.error + (std::fabs(b.value) <= b.error && b.error > 0 ? std::fabs(a.value) : 0)};
    }
}

Expected rounded_step(const Expected& made, DType dtype) {
    return {made.value, made.error + 16 * unit_roundoff(dtype) * std::fabs(made.value) + 2 * tiny(dtype)};
}

std::vector<Check> check_chain(const Case& made, const Chain& chain) {
    const DType dtype = made.outputs[0].view.dtype;
    const size_t inputs = made.inputs.size(), row = static_cast<size_t>(chain.shape.back());
    std::vector<std::vector<Expected>> expected(chain.outputs.size());
    std::vector<Expected> values(inputs + chain.steps.size());
    for (size_t i = 0; i < static_cast<size_t>(size_of(chain.shape)); ++i) {
        for (size_t k = 0; k < inputs; ++k)
            values[k] = {made.inputs[k].values[chain.is_scalar[k] ? 0 : chain.is_row[k] ? i % row : i], 0};
        for (size_t s = 0; s < chain.steps.size(); ++s) {
            const Step& step = chain.steps[s];
            const Expected& left = values[static_cast<size_t>(step.left)];
            values[inputs + s] =
                rounded_step(step.is_binary ? apply_binary(static_cast<B>(step.function), left,
                                                           values[static_cast<size_t>(step.right)])
                                            : apply_unary(static_cast<U>(step.function), left),
                             dtype);
        }
        for (size_t k = 0; k < expected.size(); ++k)
            expected[k].push_back(values[inputs + static_cast<size_t>(chain.outputs[k])]);
    }
    std::vector<Check> checks;
    for (size_t k = 0; k < expected.size(); ++k)
        checks.push_back({&made.outputs[k], "output " + std::to_string(k), std::move(expected[k]), true});
    return checks;
}

std::vector<Step> draw_steps(Random& random, int64_t inputs) {
    std::vector<Step> steps;
    int64_t products = 0;
    for (int64_t count = random.integer(1, 12); count > 0; --count) {
        const int64_t there = inputs + static_cast<int64_t>(steps.size());
        // Mostly what has just been made.
        const auto operand = [&] { return random.chance(0.4) ? there - 1 : random.integer(0, there - 1); };
        Step step{random.chance(0.6), 0, operand(), operand()};
        if (step.is_binary) {
            B function = random.pick({B::add, B::sub, B::mul, B::minimum, B::maximum, B::relu_backward});
            // Many products of products would leave the range.
            if (function == B::mul && ++products > 3) function = B::add;
            step.function = static_cast<int32_t>(function);
        } else {
            step.function = static_cast<int32_t>(random.pick({U::abs, U::neg, U::relu, U::tanh, U::sigmoid}));
        }
        steps.push_back(step);
    }
    return steps;
}

ChainParams params_of(Workbench& bench, const Chain& chain) {
    ChainParams params{};
    for (const Step& step : chain.steps) {
        const int32_t at = params.functions.count++;
        params.functions.values[at] = step.function + (step.is_binary ? static_cast<int32_t>(U::count) : 0);
        params.lefts.values[at] = step.left;
        params.rights.values[at] = step.right;
    }
    params.lefts.count = params.rights.count = params.functions.count;
    for (const int64_t step : chain.outputs) params.outputs.values[params.outputs.count++] = step;
    for (ScalarSlot& slot : params.p0) slot = bench.slot(0);
    for (ScalarSlot& slot : params.p1) slot = bench.slot(0);
    return params;
}

Shape draw_chain_shape(Workbench& bench) {
    Random& random = bench.random();
    Shape shape(static_cast<size_t>(random.integer(1, 4)));
    do {
        for (int64_t& size : shape) size = random.chance(0.3) ? random.size(300) : random.integer(1, 24);
        if (random.chance(0.15)) shape.back() = random.size(3000);
    } while (size_of(shape) > (bench.large() ? 120000 : 8000));
    return shape;
}

}  // namespace

// operands laid out as the outputs, rows, and numbers -> outputs of some steps
Case draw_chain(Workbench& bench) {
    Random& random = bench.random();
    Chain chain{draw_chain_shape(bench), {}, {}, {}, {}};
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64});
    const Layout layout = random.pick({Layout::row_major, Layout::row_major, Layout::channels_last});
    const auto normal = [&] { return random.uniform(-2, 2); };
    Case made;
    for (int64_t inputs = random.integer(1, 4); inputs > 0; --inputs) {
        const double kind = random.uniform();
        chain.is_scalar.push_back(kind < 0.15);
        chain.is_row.push_back(!chain.is_scalar.back() && kind < 0.4 && layout == Layout::row_major);
        if (chain.is_scalar.back()) {
            made.inputs.push_back(bench.input(Shape{}, dtype, Layout::row_major, normal));
        } else if (chain.is_row.back()) {
            made.inputs.push_back(bench.input(Shape{chain.shape.back()}, dtype, Layout::row_major, normal));
        } else {
            made.inputs.push_back(bench.input(chain.shape, dtype, layout, normal));
        }
    }
    if (random.chance(0.1)) bench.spoil(made.inputs[0]);
    chain.steps = draw_steps(random, static_cast<int64_t>(made.inputs.size()));
    const int64_t last = static_cast<int64_t>(chain.steps.size()) - 1;
    chain.outputs.push_back(last);
    if (last > 0 && random.chance(0.4)) chain.outputs.push_back(random.integer(0, last - 1));
    for (size_t k = 0; k < chain.outputs.size(); ++k)
        made.outputs.push_back(bench.output(chain.shape, dtype, layout));
    call_with(made, OpCode::chain, params_of(bench, chain));
    made.checks = [chain](const Case& ran) { return check_chain(ran, chain); };
    for (const Step& step : chain.steps)
        made.text += (step.is_binary ? "b" : "u") + std::to_string(step.function) + "(" +
                     std::to_string(step.left) + ", " + std::to_string(step.right) + ") ";
    return made;
}

}  // namespace nativegrad::fuzz
