#include "norms.h"

#include <cmath>

namespace nativegrad::fuzz {

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
        m.inverse = 1 / std::sqrt(m.variance + norm_epsilon);
        const double spread = 2 * m.mean_error * std::sqrt(m.variance) + m.mean_error * m.mean_error;
        m.inverse_error = 0.6 * (n + 12) * u + 0.6 * spread * m.inverse * m.inverse + 6 * u;
    }
    return made;
}

std::vector<Expected> normalized(const std::vector<double>& x, const Grouping& grouping,
                                 const std::vector<Moments>& moments, const NormVector& weight,
                                 const NormVector& bias, DType out) {
    const double u = unit_roundoff(compute_of(out)), u_out = unit_roundoff(out);
    std::vector<Expected> y;
    for (size_t i = 0; i < x.size(); ++i) {
        const Moments& m = moments[grouping.group_of(i)];
        const double w = weight[grouping.vector_of(i)], b = bias[grouping.vector_of(i)];
        const double v = (x[i] - m.mean) * m.inverse, value = v * w + b;
        const double error = std::fabs(w) * ((m.mean_error + 2 * u * std::fabs(x[i])) * m.inverse +
                                             std::fabs(v) * (m.inverse_error + 8 * u));
        y.push_back(
            {value, 1.2 * error + 4 * u * std::fabs(b) + 1.01 * u_out * std::fabs(value) + tiny(out)});
    }
    return y;
}

std::vector<Check> check_moments(const Case& made, size_t first, const std::vector<Moments>& moments) {
    const DType dtype = made.outputs[first].view.dtype;
    std::vector<Expected> mean, inverse;
    for (const Moments& m : moments) {
        mean.push_back({m.mean, m.mean_error + unit_roundoff(dtype) * std::fabs(m.mean) + tiny(dtype)});
        inverse.push_back({m.inverse, 1.2 * m.inverse * m.inverse_error});
    }
    return {{&made.outputs[first], "mean", std::move(mean), true},
            {&made.outputs[first + 1], "inverse", std::move(inverse), true}};
}

std::vector<Check> check_gradients(const Case& made, const std::vector<double>& dy, const Grouping& grouping,
                                   const NormGradient& gradient) {
    const size_t first = gradient.statistics;
    const std::vector<double>&x = made.inputs[gradient.x].values, &mean = made.inputs[first].values;
    const std::vector<double>& inverse = made.inputs[first + 1].values;
    const NormVector weights{made.inputs.size() > first + 2 ? &made.inputs[first + 2] : nullptr, 1};
    const bool by_row = gradient.by_row;
    const DType out = made.outputs[0].view.dtype;
    const double u = unit_roundoff(compute_of(out));
    std::vector<Sum> sums(static_cast<size_t>(grouping.groups)), products(sums.size());
    std::vector<Sum> dweight(static_cast<size_t>(grouping.vectors)), dbias(dweight.size());
    const auto weight = [&](size_t i) { return weights[grouping.vector_of(i)]; };
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
        const double means = sums[group].value / n + v * products[group].value / n;
        const double value = (gradient.training ? g - means : g) * scale;
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

// x [..., L...] by rows
Case draw_layer_norm(Workbench& bench) {
    Random& random = bench.random();
    const int64_t length = random.size(random.chance(0.1) ? 3000 : 300);
    const int64_t most = bench.large() ? 60000 : 12000;
    const int64_t rows =
        random.integer(1, std::max<int64_t>(1, std::min<int64_t>(bench.large() ? 2000 : 300, most / length)));
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64});
    const bool affine = random.chance(0.7), forward = random.chance(0.5);
    const size_t row = static_cast<size_t>(length);
    const Grouping grouping{rows, length, [=](size_t i) { return i / row; },
                            [=](size_t i) { return i % row; }};
    const double middle = random.chance(0.2) ? random.uniform(-20, 20) : 0;
    const auto values = [&] { return middle + random.uniform(-2, 2); };
    const auto normal = [&] { return random.uniform(-2, 2); };
    Case made;
    if (!forward) made.inputs.push_back(bench.input({rows, length}, dtype, Layout::row_major, normal));
    made.inputs.push_back(bench.input({rows, length}, dtype, Layout::row_major, values));
    if (forward && random.chance(0.1)) bench.spoil(made.inputs[0]);
    if (!forward) {
        made.inputs.push_back(bench.input({rows}, dtype, Layout::row_major, values));
        made.inputs.push_back(
            bench.input({rows}, dtype, Layout::row_major, [&] { return random.uniform(0.1, 3); }));
    }
    for (int i = 0; affine && i < (forward ? 2 : 1); ++i)
        made.inputs.push_back(bench.input({length}, dtype, Layout::row_major, normal));
    made.outputs.push_back(bench.output({rows, length}, dtype));
    for (int i = 0; i < 2 && (forward || affine); ++i)
        made.outputs.push_back(bench.output({forward ? rows : length}, dtype));
    if (!forward) {
        call_with(made, OpCode::layer_norm_backward, AxisParams{1});
        made.checks = [grouping](const Case& ran) {
            return check_gradients(ran, ran.inputs[0].values, grouping, {1, 2, true, true});
        };
        return made;
    }
    call_with(made, OpCode::layer_norm, LayerNormParams{1, bench.slot(norm_epsilon)});
    made.checks = [grouping, affine](const Case& ran) {
        const std::vector<double>& x = ran.inputs[0].values;
        const DType out = ran.outputs[0].view.dtype;
        const std::vector<Moments> moments = moments_of(x, grouping, unit_roundoff(compute_of(out)));
        std::vector<Check> checks = check_moments(ran, 1, moments);
        const NormVector weight{affine ? &ran.inputs[1] : nullptr, 1},
            bias{affine ? &ran.inputs[2] : nullptr, 0};
        checks.push_back({&ran.outputs[0], "y", normalized(x, grouping, moments, weight, bias, out), true});
        return checks;
    };
    return made;
}

}  // namespace nativegrad::fuzz
