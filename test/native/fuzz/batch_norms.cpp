// Batch normalisation, alone, with relu, and with relu and max-pooling of 2 x 2 windows.
#include <algorithm>
#include <cmath>

#include "norms.h"

namespace nativegrad::fuzz {

namespace {

enum class Fused { none, relu, pool };

// training: 1 = statistics of the batch, 0 = the running ones, 2 = those of the batch, which are given
struct BatchNorm {
    Shape shape;
    DType dtype, wide;
    Layout layout;
    Fused fused;
    bool affine, tracks;
    int32_t training;
    double momentum;

    int64_t channels() const { return shape[1]; }
    size_t inner() const { return static_cast<size_t>(size_of(shape) / shape[0] / shape[1]); }
    Shape pooled() const { return {shape[0], shape[1], shape[2] / 2, shape[3] / 2}; }
    Grouping grouping() const {
        const size_t n = static_cast<size_t>(channels()), length = inner();
        const auto channel_of = [=](size_t i) { return i / length % n; };
        return {channels(), channels(), channel_of, channel_of};
    }
    // The index in x of pixel k of window `i`.
    size_t pixel(size_t i, size_t k) const {
        const size_t width = static_cast<size_t>(shape[3]), columns = width / 2;
        const size_t height = static_cast<size_t>(shape[2]), rows = height / 2;
        const size_t column = i % columns, row = i / columns % rows, image = i / columns / rows;
        return (image * height + 2 * row + k / 2) * width + 2 * column + k % 2;
    }
};

// The statistics that are given, in place of those of x.
std::vector<Moments> given_moments(const Case& made, const BatchNorm& n) {
    const size_t first = n.affine ? 3 : 1;
    const double count = static_cast<double>(size_of(n.shape) / n.channels());
    const double u = unit_roundoff(n.wide);
    std::vector<Moments> moments(static_cast<size_t>(n.channels()));
    for (size_t j = 0; j < moments.size(); ++j) {
        Moments& m = moments[j];
        m.mean = made.inputs[first].values[j];
        m.mean_error = u * std::fabs(m.mean);
        m.variance = made.inputs[first + 1].values[j] / (n.training == 2 ? count : 1);
        m.inverse = 1 / std::sqrt(m.variance + norm_epsilon);
        m.inverse_error = 8 * u;
    }
    return moments;
}

void apply_relu(std::vector<Expected>& y) {
    for (Expected& e : y)
        if (e.value < 0) e.value = 0;
}

// The largest of each window, and where it lies as far as errors leave no choice.
std::vector<Check> check_windows(const Case& made, const BatchNorm& n, const std::vector<Expected>& y) {
    std::vector<Expected> largest, index;
    for (size_t i = 0; i < static_cast<size_t>(size_of(n.pooled())); ++i) {
        double best = -INFINITY, error = 0, place = 0;
        for (size_t k = 0; k < 4; ++k) {
            const Expected& e = y[n.pixel(i, k)];
            error = std::max(error, e.error);
            if (!(e.value > best || std::isnan(e.value)) || std::isnan(best)) {
                if (std::isnan(e.value)) place = static_cast<double>(k);
                continue;
            }
            best = e.value;
            place = static_cast<double>(k);
        }
        bool is_sure = std::isnan(best) || std::isfinite(best);
        for (size_t k = 0; k < 4; ++k) {
            const Expected& e = y[n.pixel(i, k)];
            if (static_cast<double>(k) == place || std::isnan(best)) continue;
            is_sure = is_sure && e.value + 2 * error < best;
        }
        largest.push_back({best, error});
        index.push_back(is_sure ? Expected{place, 0} : Expected{1.5, 1.5});
    }
    return {{&made.outputs[0], "y", std::move(largest), true}, {&made.outputs[1], "index", std::move(index)}};
}

std::vector<Check> check_running(const Case& made, const BatchNorm& n, size_t first,
                                 const std::vector<Moments>& moments) {
    const double count = static_cast<double>(size_of(n.shape) / n.channels()), u = unit_roundoff(n.wide);
    std::vector<Expected> means, variances;
    for (size_t j = 0; j < moments.size(); ++j) {
        const Moments& m = moments[j];
        const double old_mean = made.outputs[first].values[j], old = made.outputs[first + 1].values[j];
        const double variance = m.variance * count / (count - 1);
        const double mean = (1 - n.momentum) * old_mean + n.momentum * m.mean;
        means.push_back({mean, 8 * u * (std::fabs(old_mean) + std::fabs(m.mean)) + m.mean_error});
        variances.push_back({(1 - n.momentum) * old + n.momentum * variance,
                             8 * u * (old + variance) + 4 * m.inverse_error * (variance + norm_epsilon)});
    }
    return {{&made.outputs[first], "running mean", std::move(means), true},
            {&made.outputs[first + 1], "running variance", std::move(variances), true}};
}

std::vector<Check> check_forward(const Case& made, const BatchNorm& n) {
    const std::vector<double>& x = made.inputs[0].values;
    const Grouping grouping = n.grouping();
    const std::vector<Moments> moments =
        n.training == 1 ? moments_of(x, grouping, unit_roundoff(n.wide)) : given_moments(made, n);
    const NormVector weight{n.affine ? &made.inputs[1] : nullptr, 1},
        bias{n.affine ? &made.inputs[2] : nullptr, 0};
    std::vector<Expected> y = normalized(x, grouping, moments, weight, bias, n.dtype);
    if (n.fused != Fused::none) apply_relu(y);
    std::vector<Check> checks;
    if (n.fused == Fused::pool) {
        checks = check_windows(made, n, y);
    } else {
        checks.push_back({&made.outputs[0], "y", std::move(y), true});
    }
    const size_t first = checks.size();
    for (Check& check : check_moments(made, first, moments)) checks.push_back(std::move(check));
    if (!n.tracks) return checks;
    for (Check& check : check_running(made, n, first + 2, moments)) checks.push_back(std::move(check));
    return checks;
}

Case draw_forward(Workbench& bench, const BatchNorm& n) {
    Random& random = bench.random();
    const double middle = random.chance(0.2) ? random.uniform(-20, 20) : 0;
    const auto normal = [&] { return random.uniform(-2, 2); };
    const Shape vector{n.channels()};
    const double count = static_cast<double>(size_of(n.shape) / n.channels());
    Case made;
    made.inputs.push_back(bench.input(n.shape, n.dtype, n.layout, [&] { return middle + normal(); }));
    if (random.chance(0.1)) bench.spoil(made.inputs[0]);
    for (int i = 0; n.affine && i < 2; ++i)
        made.inputs.push_back(bench.input(vector, n.wide, Layout::row_major, normal));
    if (n.training != 1) {
        const double scale = n.training == 2 ? count : 1;
        made.inputs.push_back(
            bench.input(vector, n.wide, Layout::row_major, [&] { return middle + normal(); }));
        made.inputs.push_back(
            bench.input(vector, n.wide, Layout::row_major, [&] { return scale * random.uniform(0.05, 3); }));
    }
    const bool pools = n.fused == Fused::pool;
    made.outputs.push_back(bench.output(pools ? n.pooled() : n.shape, n.dtype, n.layout));
    if (pools) made.outputs.push_back(bench.output(n.pooled(), DType::uint8, Layout::channels_last));
    for (int i = 0; i < 2; ++i) made.outputs.push_back(bench.output(vector, n.wide));
    for (int i = 0; n.tracks && i < 2; ++i)
        made.outputs.push_back(
            bench.in_place(vector, n.wide, Layout::row_major, [&] { return random.uniform(0, 2); }));
    made.checks = [n](const Case& ran) { return check_forward(ran, n); };
    return made;
}

// The gradient of what is normalised: dy behind relu and the windows.
std::vector<double> masked_gradient(const Case& made, const BatchNorm& n) {
    const std::vector<double>& dy = made.inputs[0].values;
    if (n.fused == Fused::none) return dy;
    const bool pools = n.fused == Fused::pool;
    const std::vector<double>& y = made.inputs[pools ? 1 : 2].values;
    std::vector<double> masked(static_cast<size_t>(size_of(n.shape)));
    for (size_t i = 0; i < dy.size(); ++i) {
        const size_t at = pools ? n.pixel(i, static_cast<size_t>(made.inputs[2].values[i])) : i;
        if (y[i] > 0) masked[at] = dy[i];
    }
    return masked;
}

// dy, x; dy, x, y with relu; dy, y, index, x with windows: then mean, 1 / standard deviation (, weight)
Case draw_backward(Workbench& bench, const BatchNorm& n) {
    Random& random = bench.random();
    const auto normal = [&] { return random.uniform(-2, 2); };
    const bool pools = n.fused == Fused::pool;
    const Shape vector{n.channels()}, &made_shape = pools ? n.pooled() : n.shape;
    Case made;
    const auto image = [&](const Shape& shape) {
        made.inputs.push_back(bench.input(shape, n.dtype, n.layout, normal));
    };
    image(made_shape);
    if (pools) {
        image(made_shape);
        made.inputs.push_back(bench.input(made_shape, DType::uint8, Layout::channels_last,
                                          [&] { return static_cast<double>(random.integer(0, 3)); }));
    }
    image(n.shape);
    if (n.fused == Fused::relu) image(n.shape);
    made.inputs.push_back(bench.input(vector, n.wide, Layout::row_major, normal));
    made.inputs.push_back(
        bench.input(vector, n.wide, Layout::row_major, [&] { return random.uniform(0.1, 3); }));
    if (n.affine) made.inputs.push_back(bench.input(vector, n.wide, Layout::row_major, normal));
    made.outputs.push_back(bench.output(n.shape, n.dtype, n.layout));
    for (int i = 0; i < 2; ++i) made.outputs.push_back(bench.output(vector, n.wide));
    made.checks = [n](const Case& ran) {
        const size_t x = n.fused == Fused::pool ? 3 : 1;
        const size_t statistics = n.fused == Fused::none ? x + 1 : n.fused == Fused::relu ? 3 : 4;
        return check_gradients(ran, masked_gradient(ran, n), n.grouping(),
                               {x, statistics, false, n.training != 0});
    };
    return made;
}

OpCode op_of(Fused fused, bool forward) {
    switch (fused) {
        case Fused::none:
            return forward ? OpCode::batch_norm : OpCode::batch_norm_backward;
        case Fused::relu:
            return forward ? OpCode::batch_norm_relu : OpCode::batch_norm_relu_backward;
        default:
            return forward ? OpCode::batch_norm_relu_pool : OpCode::batch_norm_relu_pool_backward;
    }
}

BatchNorm draw_shape(Workbench& bench) {
    Random& random = bench.random();
    BatchNorm n{};
    n.fused = random.pick({Fused::none, Fused::relu, Fused::pool});
    const bool pools = n.fused == Fused::pool;
    const int64_t side = bench.large() ? 24 : pools ? 9 : 6;
    do {
        n.shape = {random.integer(1, 20), random.size(140)};
        const int64_t axes = pools ? 2 : random.integer(0, 2);
        for (int64_t i = 0; i < axes; ++i) n.shape.push_back(random.integer(pools ? 2 : 1, side));
    } while (size_of(n.shape) > (bench.large() ? 120000 : 16000));
    if (size_of(n.shape) / n.shape[1] == 1) n.shape[0] += 1;
    n.dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64, DType::bfloat16});
    n.wide = n.dtype == DType::float64 ? n.dtype : DType::float32;
    n.layout = random.pick({Layout::channels_last, Layout::channels_last, Layout::row_major});
    n.affine = random.chance(0.7);
    n.training = random.pick({1, 1, 1, 1, 0, 2});
    n.tracks = n.training != 0 && random.chance(0.3);
    n.momentum = 0.1;
    return n;
}

}  // namespace

// x [N, C, ...] by channels
Case draw_batch_norm(Workbench& bench) {
    BatchNorm n = draw_shape(bench);
    const bool forward = bench.random().chance(0.5);
    if (!forward) n.tracks = false, n.training = n.training == 2 ? 1 : n.training;
    Case made = forward ? draw_forward(bench, n) : draw_backward(bench, n);
    call_with(
        made, op_of(n.fused, forward),
        BatchNormParams{bench.slot(n.momentum), bench.slot(norm_epsilon), n.training, n.affine ? 1 : 0});
    made.ways.push_back(n.training == 1   ? Way::norm_training
                        : n.training == 0 ? Way::norm_running
                                          : Way::norm_given);
    if (n.tracks) made.ways.push_back(Way::norm_tracked);
    made.text = "training " + std::to_string(n.training);
    return made;
}

}  // namespace nativegrad::fuzz
