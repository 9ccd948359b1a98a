#include <cmath>

#include "case.h"

namespace nativegrad::fuzz {

namespace {

// Which elements share a mean (a channel, or a row), and which a weight.
struct Grouping {
    int64_t groups, vectors;
    std::function<size_t(size_t)> group_of, vector_of;
};

struct Moments {
    double mean = 0, variance = 0, mean_error = 0, inverse = 0, inverse_error = 0;  // inverse_error: relative
};

constexpr double epsilon = 1e-5;

std::vector<Moments> moments_of(const std::vector<double>& x, const Grouping& grouping, double u) {
    std::vector<Sum> sums(static_cast<size_t>(grouping.groups));
    std::vector<Moments> made(sums.size());
    for (size_t i = 0; i < x.size(); ++i) sums[grouping.group_of(i)].add(x[i]);
    for (size_t g = 0; g < sums.size(); ++g) {
        const double n = static_cast<double>(sums[g].terms);
        made[g].mean = sums[g].value / n;
        made[g].mean_error = (n + 8) * u * sums[g].magnitude / n;
    }
    for (size_t i = 0; i < x.size(); ++i) {
        Moments& m = made[grouping.group_of(i)];
        m.variance += (x[i] - m.mean) * (x[i] - m.mean);
    }
    for (size_t g = 0; g < sums.size(); ++g) {
        Moments& m = made[g];
        const double n = static_cast<double>(sums[g].terms);
        m.variance /= n;
        m.inverse = 1 / std::sqrt(m.variance + epsilon);
        const double spread = 2 * m.mean_error * std::sqrt(m.variance) + m.mean_error * m.mean_error;
        m.inverse_error = 0.6 * (n + 12) * u + 0.6 * spread * m.inverse * m.inverse + 6 * u;
    }
    return made;
}

double at_or(const std::vector<Operand>& operands, size_t which, size_t i, double otherwise) {
    return which < operands.size() ? operands[which].values[i] : otherwise;
}

// x (, weight, bias) -> y, mean, 1 / standard deviation
std::vector<Check> check_forward(const Case& made, const Grouping& grouping) {
    const std::vector<double>& x = made.inputs[0].values;
    const DType out = made.outputs[0].view.dtype;
    const double u = unit_roundoff(compute_of(out)), u_out = unit_roundoff(out);
    const std::vector<Moments> moments = moments_of(x, grouping, u);
    std::vector<Expected> y, mean, inverse;
    for (size_t i = 0; i < x.size(); ++i) {
        const Moments& m = moments[grouping.group_of(i)];
        const double w = at_or(made.inputs, 1, grouping.vector_of(i), 1);
        const double b = at_or(made.inputs, 2, grouping.vector_of(i), 0);
        const double v = (x[i] - m.mean) * m.inverse, value = v * w + b;
        const double error = std::fabs(w) * ((m.mean_error + 2 * u * std::fabs(x[i])) * m.inverse +
                                             std::fabs(v) * (m.inverse_error + 8 * u));
        y.push_back(
            {value, 1.2 * error + 4 * u * std::fabs(b) + 1.01 * u_out * std::fabs(value) + tiny(out)});
    }
    for (const Moments& m : moments) {
        mean.push_back({m.mean, m.mean_error + u * std::fabs(m.mean) + tiny(out)});
        inverse.push_back({m.inverse, 1.2 * m.inverse * m.inverse_error});
    }
    return {{&made.outputs[0], "y", std::move(y), true},
            {&made.outputs[1], "mean", std::move(mean), true},
            {&made.outputs[2], "inverse", std::move(inverse), true}};
}

// dy, x, mean, 1 / standard deviation (, weight) -> dx (, dweight, dbias). by_row: the weight is inside the
// means.
std::vector<Check> check_backward(const Case& made, const Grouping& grouping, bool by_row) {
    const std::vector<double>&dy = made.inputs[0].values, &x = made.inputs[1].values;
    const std::vector<double>&mean = made.inputs[2].values, &inverse = made.inputs[3].values;
    const DType out = made.outputs[0].view.dtype;
    const double u = unit_roundoff(compute_of(out));
    std::vector<Sum> sums(static_cast<size_t>(grouping.groups)), products(sums.size());
    std::vector<Sum> dweight(static_cast<size_t>(grouping.vectors)), dbias(dweight.size());
    const auto weight = [&](size_t i) { return at_or(made.inputs, 4, grouping.vector_of(i), 1); };
    const auto normalized = [&](size_t i) {
        return (x[i] - mean[grouping.group_of(i)]) * inverse[grouping.group_of(i)];
    };
    for (size_t i = 0; i < dy.size(); ++i) {
        const double g = by_row ? dy[i] * weight(i) : dy[i];
        sums[grouping.group_of(i)].add(g);
        products[grouping.group_of(i)].add(g * normalized(i));
        dweight[grouping.vector_of(i)].add(dy[i] * normalized(i));
        dbias[grouping.vector_of(i)].add(dy[i]);
    }
    std::vector<Expected> dx;
    for (size_t i = 0; i < dy.size(); ++i) {
        const size_t group = grouping.group_of(i);
        const double n = static_cast<double>(sums[group].terms), v = normalized(i), w = weight(i);
        const double g = by_row ? dy[i] * w : dy[i], scale = inverse[group] * (by_row ? 1 : w);
        const double value = (g - sums[group].value / n - v * products[group].value / n) * scale;
        const double size =
            std::fabs(g) + sums[group].magnitude / n + std::fabs(v) * products[group].magnitude / n;
        dx.push_back({value, 1.2 * (n + 16) * u * size * std::fabs(scale) +
                                 1.01 * unit_roundoff(out) * std::fabs(value) + tiny(out)});
    }
    std::vector<Check> checks{{&made.outputs[0], "dx", std::move(dx), true}};
    const char* const names[] = {"dweight", "dbias"};
    for (size_t k = 1; k < made.outputs.size(); ++k) {
        std::vector<Expected> expected;
        for (Sum sum : k == 1 ? dweight : dbias) {
            sum.terms += 16;
            expected.push_back(sum.within(compute_of(out), made.outputs[k].view.dtype));
        }
        checks.push_back({&made.outputs[k], names[k - 1], std::move(expected), true});
    }
    return checks;
}

struct NormCase {
    Shape shape, statistics, vectors;
    DType dtype;
    Layout layout;
    Grouping grouping;
    bool affine, forward;
};

// The operands of both norms are alike.
Case operands_of(Workbench& bench, const NormCase& n) {
    Random& random = bench.random();
    const double middle = random.chance(0.2) ? random.uniform(-20, 20) : 0;
    const auto values = [&] { return middle + random.uniform(-2, 2); };
    const auto normal = [&] { return random.uniform(-2, 2); };
    const DType wide = n.dtype == DType::float64 ? n.dtype : DType::float32;
    Case made;
    made.inputs.push_back(
        bench.input(n.shape, n.dtype, n.layout, n.forward ? std::function<double()>(values) : normal));
    if (n.forward) {
        if (random.chance(0.1)) bench.spoil(made.inputs[0]);
        for (int i = 0; n.affine && i < 2; ++i)
            made.inputs.push_back(bench.input(n.vectors, wide, Layout::row_major, normal));
        made.outputs.push_back(bench.output(n.shape, n.dtype, n.layout));
        for (int i = 0; i < 2; ++i) made.outputs.push_back(bench.output(n.statistics, wide));
        made.checks = [grouping = n.grouping](const Case& ran) { return check_forward(ran, grouping); };
        return made;
    }
    made.inputs.push_back(bench.input(n.shape, n.dtype, n.layout, values));
    made.inputs.push_back(bench.input(n.statistics, wide, Layout::row_major, values));
    made.inputs.push_back(
        bench.input(n.statistics, wide, Layout::row_major, [&] { return random.uniform(0.1, 3); }));
    if (n.affine) made.inputs.push_back(bench.input(n.vectors, wide, Layout::row_major, normal));
    made.outputs.push_back(bench.output(n.shape, n.dtype, n.layout));
    return made;
}

}  // namespace

// x [N, C, ...] by channels
Case draw_batch_norm(Workbench& bench) {
    Random& random = bench.random();
    NormCase n{};
    n.shape = {random.integer(1, 20), random.size(140)};
    for (int64_t axes = random.integer(0, 2); axes > 0; --axes) n.shape.push_back(random.integer(1, 6));
    if (size_of(n.shape) / n.shape[1] == 1) n.shape[0] += 1;
    const size_t channels = static_cast<size_t>(n.shape[1]);
    const size_t inner = static_cast<size_t>(size_of(n.shape)) / static_cast<size_t>(n.shape[0]) / channels;
    n.statistics = n.vectors = {n.shape[1]};
    n.dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64, DType::bfloat16});
    n.layout = random.pick({Layout::channels_last, Layout::channels_last, Layout::row_major});
    n.affine = random.chance(0.7);
    n.forward = random.chance(0.5);
    const auto channel_of = [=](size_t i) { return i / inner % channels; };
    n.grouping = {n.shape[1], n.shape[1], channel_of, channel_of};
    Case made = operands_of(bench, n);
    const BatchNormParams params{bench.slot(0.1), bench.slot(epsilon), 1, n.affine ? 1 : 0};
    if (n.forward) {
        call_with(made, OpCode::batch_norm, params);
        return made;
    }
    const DType wide = n.dtype == DType::float64 ? n.dtype : DType::float32;
    for (int i = 0; i < 2; ++i) made.outputs.push_back(bench.output(n.vectors, wide));
    call_with(made, OpCode::batch_norm_backward, params);
    made.checks = [grouping = n.grouping](const Case& ran) { return check_backward(ran, grouping, false); };
    return made;
}

// x [..., L...] by rows
Case draw_layer_norm(Workbench& bench) {
    Random& random = bench.random();
    NormCase n{};
    const int64_t length = random.size(random.chance(0.1) ? 3000 : 300);
    const int64_t rows = random.integer(1, std::max<int64_t>(1, std::min<int64_t>(300, 12000 / length)));
    n.shape = {rows, length};
    n.statistics = {rows};
    n.vectors = {length};
    n.dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64});
    n.layout = Layout::row_major;
    n.affine = random.chance(0.7);
    n.forward = random.chance(0.5);
    const size_t row = static_cast<size_t>(length);
    n.grouping = {rows, length, [=](size_t i) { return i / row; }, [=](size_t i) { return i % row; }};
    Case made = operands_of(bench, n);
    if (n.forward) {
        call_with(made, OpCode::layer_norm, LayerNormParams{1, bench.slot(epsilon)});
        return made;
    }
    const DType wide = n.dtype == DType::float64 ? n.dtype : DType::float32;
    for (int i = 0; n.affine && i < 2; ++i) made.outputs.push_back(bench.output(n.vectors, wide));
    call_with(made, OpCode::layer_norm_backward, AxisParams{1});
    made.checks = [grouping = n.grouping](const Case& ran) { return check_backward(ran, grouping, true); };
    return made;
}

}  // namespace nativegrad::fuzz
