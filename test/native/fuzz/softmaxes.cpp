#include <cmath>

#include "case.h"

namespace nativegrad::fuzz {

namespace {

// Calls body(indices of one row) for every row along the axis.
template <class Body>
void each_row(const Shape& shape, size_t axis, const Body& body) {
    int64_t inner = 1;
    for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
    const int64_t length = shape[axis], outer = size_of(shape) / length / inner;
    std::vector<size_t> row(static_cast<size_t>(length));
    for (int64_t o = 0; o < outer; ++o) {
        for (int64_t i = 0; i < inner; ++i) {
            for (int64_t k = 0; k < length; ++k)
                row[static_cast<size_t>(k)] = static_cast<size_t>((o * length + k) * inner + i);
            body(row);
        }
    }
}

struct ExpTotal {
    double shift = -INFINITY, total = 0;
    template <class At>
    ExpTotal(size_t n, const At& at) {
        for (size_t i = 0; i < n; ++i) shift = std::isnan(at(i)) || at(i) > shift ? at(i) : shift;
        for (size_t i = 0; i < n; ++i) total += std::exp(at(i) - shift);
    }
};

std::vector<Check> check_forward(const Case& made, const Shape& shape, size_t axis, bool log) {
    const std::vector<double>& x = made.inputs[0].values;
    const DType out = made.outputs[0].view.dtype;
    const double u = unit_roundoff(compute_of(out));
    std::vector<Expected> expected(x.size());
    each_row(shape, axis, [&](const std::vector<size_t>& row) {
        const ExpTotal made_of(row.size(), [&](size_t i) { return x[row[i]]; });
        for (const size_t i : row) {
            const double gap = x[i] - made_of.shift, n = static_cast<double>(row.size());
            const double value = log ? gap - std::log(made_of.total) : std::exp(gap) / made_of.total;
            const double size = log ? 1.0 : value;
            const double range = std::isinf(gap) ? 0 : 3 * std::fabs(gap);
            expected[i] = {value, u * size * (n + 24 + range) + 1.01 * unit_roundoff(out) * std::fabs(value) +
                                      2 * tiny(out)};
        }
    });
    return {{&made.outputs[0], log ? "log_softmax" : "softmax", std::move(expected)}};
}

std::vector<Check> check_backward(const Case& made, const Shape& shape, size_t axis, bool log) {
    const std::vector<double>&dy = made.inputs[0].values, &y = made.inputs[1].values;
    const DType out = made.outputs[0].view.dtype;
    const double u = unit_roundoff(compute_of(out));
    std::vector<Expected> expected(y.size());
    each_row(shape, axis, [&](const std::vector<size_t>& row) {
        Sum sum;
        for (const size_t i : row) sum.add(log ? dy[i] : dy[i] * y[i]);
        for (const size_t i : row) {
            const double p = log ? std::exp(y[i]) : y[i];
            const double value = log ? dy[i] - p * sum.value : p * (dy[i] - sum.value);
            const double size = (log ? 1 : std::fabs(p)) * std::fabs(dy[i]) + std::fabs(p) * sum.magnitude;
            const double n = static_cast<double>(row.size());
            expected[i] = {value, u * (n + 24 + (log ? 3 * std::fabs(y[i]) : 0)) * size +
                                      1.01 * unit_roundoff(out) * std::fabs(value) + 2 * tiny(out)};
        }
    });
    return {{&made.outputs[0], "dx", std::move(expected)}};
}

struct Loss {
    int64_t rows, classes, ignored;
    double smoothing;
    bool weighted, forward, mean;  // mean: backward is that of the mean, of a divisor
};

std::vector<Check> check_loss(const Case& made, const Loss& loss) {
    const size_t first = loss.forward ? 0 : 1, n = static_cast<size_t>(loss.classes);
    const std::vector<double>&x = made.inputs[first].values, &labels = made.inputs[first + 1].values;
    const DType out = made.outputs[0].view.dtype;
    const double u = unit_roundoff(compute_of(out)), u_out = unit_roundoff(out), s = loss.smoothing;
    const auto weight = [&](size_t c) { return loss.weighted ? made.inputs.back().values[c] : 1.0; };
    double weights = 0;
    for (size_t c = 0; c < n; ++c) weights += weight(c);
    const double share = s / static_cast<double>(n);
    std::vector<Expected> expected;
    const auto add = [&](double value, double size, double rounds) {
        expected.push_back({value, u * rounds * size + 1.01 * u_out * std::fabs(value) + 2 * tiny(out)});
    };
    for (size_t r = 0; r < labels.size(); ++r) {
        const double* row = x.data() + r * n;
        const bool counts = labels[r] != static_cast<double>(loss.ignored);
        const size_t label = counts ? static_cast<size_t>(labels[r]) : 0;
        const ExpTotal total(n, [&](size_t i) { return row[i]; });
        const double log_total = std::log(total.total), on = (1 - s) * weight(label);
        const double rounds = static_cast<double>(n) + 48;
        if (loss.forward) {
            double value = on * (total.shift - row[label] + log_total);
            for (size_t c = 0; c < n && s > 0; ++c)
                value += share * weight(c) * (total.shift - row[c] + log_total);
            const double size = value + 2 * (on + share * weights);
            add(counts ? value : 0, counts ? size : 0, rounds);
            continue;
        }
        const double d = made.inputs[0].values[r] / (loss.mean ? made.inputs[3].values[0] : 1.0);
        for (size_t c = 0; c < n; ++c) {
            const double p = std::exp(row[c] - total.shift) / total.total;
            const double pull = share * weight(c) + (c == label ? on : 0), all = on + share * weights;
            const double range =
                std::isfinite(row[c] - total.shift) ? 3 * std::fabs(row[c] - total.shift) : 0;
            add(counts ? d * (p * all - pull) : 0, counts ? std::fabs(d) * (p * all + pull) : 0,
                rounds + range);
        }
    }
    return {{&made.outputs[0], loss.forward ? "losses" : "dx", std::move(expected)}};
}

std::vector<Check> check_mean(const Case& made, const Loss& loss) {
    const std::vector<double>&terms = made.inputs[0].values, &labels = made.inputs[1].values;
    Sum total, shares;
    for (size_t i = 0; i < labels.size(); ++i) {
        total.add(terms[i]);
        if (labels[i] == static_cast<double>(loss.ignored)) continue;
        shares.add(loss.weighted ? made.inputs[2].values[static_cast<size_t>(labels[i])] : 1.0);
    }
    const double mean = total.value / shares.value, n = static_cast<double>(labels.size());
    const auto error = [&](const Operand& out, double value, double size) {
        return 4 * (n + 2) * unit_roundoff(DType::float64) * size +
               1.01 * unit_roundoff(out.view.dtype) * std::fabs(value) + 2 * tiny(out.view.dtype);
    };
    const Operand &first = made.outputs[0], &second = made.outputs[1];
    return {{&first, "mean", {{mean, error(first, mean, total.magnitude / shares.value)}}},
            {&second, "divisor", {{shares.value, error(second, shares.value, shares.magnitude)}}}};
}

DType draw_float(Random& random) {
    return random.pick({DType::float32, DType::float32, DType::float32, DType::float32, DType::float64,
                        DType::bfloat16, DType::float16});
}

}  // namespace

// x [...] -> y; dy, y -> dx, along an axis
Case draw_softmax(Workbench& bench) {
    Random& random = bench.random();
    Shape shape(static_cast<size_t>(random.integer(1, 4)));
    const size_t axis = static_cast<size_t>(random.integer(0, static_cast<int64_t>(shape.size()) - 1));
    do {
        const double long_ones = bench.large() ? 0.7 : 0.3;
        for (int64_t& size : shape)
            size = random.chance(long_ones) ? random.size(150) : random.integer(1, 20);
        if (random.chance(0.1)) shape[axis] = random.size(1500);
    } while (size_of(shape) > (bench.large() ? 60000 : 6000));
    const DType dtype = draw_float(random);
    const bool log = random.chance(0.5), forward = random.chance(0.5);
    const double scale = random.pick({1.0, 4.0, 30.0});
    const auto values = [&] { return random.uniform(-scale, scale); };
    const Layout layout =
        random.pick({Layout::row_major, Layout::row_major, Layout::channels_last, Layout::any});
    const Layout own = layout == Layout::any ? Layout::row_major : layout;
    Case made;
    if (forward) {
        made.inputs.push_back(bench.input(shape, dtype, layout, values));
        if (random.chance(0.15)) bench.spoil(made.inputs[0]);
        made.checks = [=](const Case& ran) { return check_forward(ran, shape, axis, log); };
    } else {
        made.inputs.push_back(bench.input(shape, dtype, layout, [&] { return random.uniform(-2, 2); }));
        made.inputs.push_back(bench.input(
            shape, dtype, layout, [&] { return log ? random.uniform(-8, 0) : random.uniform(0, 1); }));
        if (random.chance(0.1)) bench.spoil(made.inputs[0]);
        made.checks = [=](const Case& ran) { return check_backward(ran, shape, axis, log); };
    }
    made.outputs.push_back(bench.output(shape, dtype, own));
    call_with(made, forward ? OpCode::softmax : OpCode::softmax_backward,
              SoftmaxParams{static_cast<int64_t>(axis), log ? 1 : 0});
    made.text = "axis " + std::to_string(axis) + (log ? ", log" : "");
    return made;
}

// scores [N, C], labels [N] (, weights [C]) -> losses [N]; d losses first -> d scores
Case draw_cross_entropy(Workbench& bench) {
    Random& random = bench.random();
    Loss loss{};
    loss.classes = random.chance(0.3) ? 10 : random.size(random.chance(0.1) ? 1500 : 150);
    const int64_t most = bench.large() ? 60000 : 6000;
    loss.rows = random.integer(1, std::max<int64_t>(1, std::min<int64_t>(most / 20, most / loss.classes)));
    loss.smoothing = random.pick({0.0, 0.0, 0.1, 1.0});
    loss.weighted = random.chance(0.4);
    loss.forward = random.chance(0.5);
    loss.mean = !loss.forward && random.chance(0.5);
    const DType dtype = draw_float(random), wide = dtype == DType::float64 ? dtype : DType::float32;
    const DType labels = loss.classes <= 255 ? random.pick({DType::uint8, DType::int32, DType::int64})
                                             : random.pick({DType::int32, DType::int64});
    loss.ignored = labels == DType::uint8 ? -1 : -100;
    const double scale = random.pick({1.0, 6.0, 40.0});
    Case made;
    if (!loss.forward)
        made.inputs.push_back(
            bench.input({loss.rows}, dtype, Layout::any, [&] { return random.uniform(-1, 1); }));
    made.inputs.push_back(bench.input({loss.rows, loss.classes}, dtype, Layout::any,
                                      [&] { return random.uniform(-scale, scale); }));
    // A score that is not finite would be NaN or infinite on both sides, by other paths.
    made.inputs.push_back(bench.input({loss.rows}, labels, Layout::any, [&]() -> double {
        const bool ignored = labels != DType::uint8 && random.chance(0.1);
        return static_cast<double>(ignored ? loss.ignored : random.integer(0, loss.classes - 1));
    }));
    if (loss.mean)
        made.inputs.push_back(bench.input({}, wide, Layout::any, [&] { return random.uniform(0.5, 100); }));
    if (loss.weighted)
        made.inputs.push_back(
            bench.input({loss.classes}, wide, Layout::any, [&] { return random.uniform(0.1, 2); }));
    made.outputs.push_back(
        bench.output(loss.forward ? Shape{loss.rows} : Shape{loss.rows, loss.classes}, dtype));
    const ScalarSlot smoothing = bench.slot(loss.smoothing);
    if (loss.forward)
        call_with(made, OpCode::cross_entropy, CrossEntropyParams{loss.ignored, smoothing});
    else
        call_with(made, OpCode::cross_entropy_backward,
                  CrossEntropyBackwardParams{loss.ignored, smoothing, loss.mean ? 1 : 0});
    made.checks = [loss](const Case& ran) { return check_loss(ran, loss); };
    made.text = "smoothing " + std::to_string(loss.smoothing);
    return made;
}

// terms [N], labels [N] (, weights [C]) -> mean [], divisor []
Case draw_label_mean(Workbench& bench) {
    Random& random = bench.random();
    Loss loss{};
    loss.rows = random.size(bench.large() ? 60000 : 3000);
    loss.classes = random.integer(1, 100);
    loss.weighted = random.chance(0.5);
    loss.ignored = random.pick<int64_t>({-100, 0});
    const DType dtype = draw_float(random), wide = dtype == DType::float64 ? dtype : DType::float32;
    const DType labels = random.pick({DType::uint8, DType::int32, DType::int64});
    const bool may_ignore = loss.ignored == 0 || labels != DType::uint8;
    Case made;
    made.inputs.push_back(bench.input({loss.rows}, dtype, Layout::any, [&] { return random.uniform(0, 9); }));
    made.inputs.push_back(bench.input({loss.rows}, labels, Layout::any, [&]() -> double {
        const bool ignored = may_ignore && random.chance(0.1);
        return static_cast<double>(ignored ? loss.ignored : random.integer(0, loss.classes - 1));
    }));
    if (loss.weighted)
        made.inputs.push_back(
            bench.input({loss.classes}, wide, Layout::any, [&] { return random.uniform(0.1, 2); }));
    for (const DType result : {dtype, wide}) made.outputs.push_back(bench.output({}, result));
    call_with(made, OpCode::label_mean, LabelMeanParams{loss.ignored});
    made.checks = [loss](const Case& ran) { return check_mean(ran, loss); };
    return made;
}

}  // namespace nativegrad::fuzz
