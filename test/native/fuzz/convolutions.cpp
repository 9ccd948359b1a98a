#include <algorithm>
#include <cmath>

#include "case.h"
#include "cpu/conv/depthwise.h"
#include "cpu/conv/tap_runs.h"
#include "cpu/conv/winograd.h"

namespace nativegrad::fuzz {

namespace {

struct Convolution {
    int64_t images, channels, out_channels, groups;
    int64_t in[2], kernel[2], stride[2], padding[2], dilation[2], out[2];

    bool fits() {
        for (int i = 0; i < 2; ++i) {
            const int64_t reach = in[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
            if (reach < 0) return false;
            out[i] = reach / stride[i] + 1;
        }
        return true;
    }
    int64_t work() const {
        return images * out_channels * out[0] * out[1] * channels / groups * kernel[0] * kernel[1];
    }
    Shape x() const { return {images, channels, in[0], in[1]}; }
    Shape w() const { return {out_channels, channels / groups, kernel[0], kernel[1]}; }
    Shape y() const { return {images, out_channels, out[0], out[1]}; }
    ConvParams params() const {
        ConvParams made{};
        made.stride = {2, {stride[0], stride[1]}};
        made.padding = {4, {padding[0], padding[0], padding[1], padding[1]}};
        made.dilation = {2, {dilation[0], dilation[1]}};
        made.groups = groups;
        return made;
    }

    // body(x index, w index, y index) for every product
    template <class Body>
    void each(const Body& body) const {
        const int64_t in_group = channels / groups, out_group = out_channels / groups;
        for (int64_t n = 0; n < images; ++n) {
            for (int64_t o = 0; o < out_channels; ++o) {
                for (int64_t c = 0; c < in_group; ++c) {
                    const int64_t channel = o / out_group * in_group + c;
                    for (int64_t i = 0; i < kernel[0] * kernel[1]; ++i) {
                        each_pixel((n * channels + channel) * in[0] * in[1],
                                   (o * in_group + c) * kernel[0] * kernel[1] + i,
                                   (n * out_channels + o) * out[0] * out[1], i, body);
                    }
                }
            }
        }
    }

  private:
    template <class Body>
    void each_pixel(int64_t x_at, int64_t w_at, int64_t y_at, int64_t tap, const Body& body) const {
        const int64_t tap_row = tap / kernel[1], tap_column = tap % kernel[1];
        for (int64_t row = 0; row < out[0]; ++row) {
            const int64_t r = row * stride[0] + tap_row * dilation[0] - padding[0];
            if (r < 0 || r >= in[0]) continue;
            for (int64_t column = 0; column < out[1]; ++column) {
                const int64_t c = column * stride[1] + tap_column * dilation[1] - padding[1];
                if (c < 0 || c >= in[1]) continue;
                body(x_at + r * in[1] + c, w_at, y_at + row * out[1] + column);
            }
        }
    }
};

void draw_window(Random& random, Convolution& c, int64_t largest, bool plain) {
    for (int i = 0; i < 2; ++i) {
        c.in[i] = random.integer(1, largest);
        c.kernel[i] = plain ? 3 : random.integer(1, 5);
        c.stride[i] = plain ? 1 : random.integer(1, 3);
        c.padding[i] = plain ? 1 : random.integer(0, 3);
        c.dilation[i] = plain ? 1 : random.pick<int64_t>({1, 1, 2, 3});
    }
}

Convolution draw_small(Random& random) {
    Convolution c{};
    do {
        c.groups = random.chance(0.8) ? 1 : random.integer(2, 4);
        c.images = random.integer(1, 5);
        c.channels = (random.chance(0.2) ? 1 : random.size(40)) * c.groups;
        c.out_channels = random.size(random.chance(0.2) ? 70 : 20) * c.groups;
        draw_window(random, c, 15, random.chance(0.5));
    } while (!c.fits() || c.work() > 150000);
    return c;
}

// Every channel a group of its own.
Convolution draw_depthwise(Random& random, int64_t most_work) {
    Convolution c{};
    do {
        c.images = random.integer(1, 5);
        c.groups = c.channels = c.out_channels = std::max<int64_t>(2, random.size(200));
        draw_window(random, c, 18, random.chance(0.4));
    } while (!c.fits() || c.work() > most_work);
    return c;
}

// Kernels of 3 x 3 between whole vectors of channels, with margins and sides of all kinds.
Convolution draw_winograd(Random& random) {
    Convolution c{};
    do {
        c.groups = 1;
        c.images = random.integer(1, 4);
        c.channels = 16 * random.integer(1, 3) + (random.chance(0.05) ? 1 : 0);
        c.out_channels = 16 * random.integer(1, 4);
        for (int i = 0; i < 2; ++i) {
            c.in[i] = random.integer(8, 20);
            c.kernel[i] = 3;
            c.stride[i] = c.dilation[i] = 1;
            c.padding[i] = random.integer(0, 2);
        }
    } while (!c.fits() || c.work() > 3000000);
    return c;
}

// Images of several bands, weights that outgrow a cache, many small images, one channel, or one pixel.
Convolution draw_large(Random& random) {
    Convolution c{};
    const int64_t kind = random.pick<int64_t>({0, 1, 2, 3, 3, 4});
    do {
        c.groups = random.chance(0.9) ? 1 : 2;
        c.images = kind == 2 ? random.integer(60, 140) : kind == 0 ? 1 : random.integer(1, 4);
        const bool deep = kind == 1;
        c.channels = c.groups * (kind == 0   ? random.integer(20, 40)
                                 : deep      ? random.integer(60, 160)
                                 : kind == 3 ? 1
                                             : random.size(kind == 2 ? 12 : 80));
        c.out_channels = c.groups * (kind == 0   ? random.integer(1, 3)
                                     : deep      ? random.integer(60, 160)
                                     : kind == 3 ? 32 * random.integer(1, 2)
                                                 : random.size(kind == 2 ? 30 : 80));
        draw_window(random, c, kind < 2 ? 7 : kind == 2 ? 9 : 20, kind == 3 || random.chance(0.5));
        for (int i = 0; i < 2; ++i) {
            if (kind == 0) c.in[i] += 45;
            if (kind == 4) c.kernel[i] = 1, c.padding[i] = 0;
        }
    } while (!c.fits() || c.work() > 3000000);
    return c;
}

Convolution draw_shape(Workbench& bench) {
    Random& random = bench.random();
    if (!bench.large()) return random.chance(0.1) ? draw_depthwise(random, 150000) : draw_small(random);
    const double which = random.uniform();
    return which < 0.45  ? draw_winograd(random)
           : which < 0.6 ? draw_depthwise(random, 1500000)
                         : draw_large(random);
}

double largest_finite(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values)
        if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
    return largest;
}

enum class Pass { forward, statistics, relu, input, masked, weight };

bool is_backward(Pass pass) { return pass == Pass::input || pass == Pass::masked; }

cpu::ConvPlan plan_of(const Convolution& c, Pass pass) {
    const auto shape_only = [](const Shape& shape) {
        TensorView view{};
        view.rank = static_cast<int32_t>(shape.size());
        std::copy(shape.begin(), shape.end(), view.shape);
        return view;
    };
    const TensorView x = shape_only(c.x()), w = shape_only(c.w()), y = shape_only(c.y());
    return is_backward(pass) ? cpu::plan_backward_input(c.params(), y, w, x)
                             : cpu::plan_forward(c.params(), x, w, y);
}

// By Winograd's way, what is not finite reaches all taps of its pair of channels.
void allow_any_tap(const Convolution& c, std::vector<Expected>& dw) {
    const size_t taps = static_cast<size_t>(c.kernel[0] * c.kernel[1]);
    for (size_t first = 0; first < dw.size(); first += taps) {
        const auto is_special = [&](const Expected& e) { return !std::isfinite(e.value); };
        const auto begin = dw.begin() + static_cast<int64_t>(first), end = begin + static_cast<int64_t>(taps);
        if (!std::any_of(begin, end, is_special)) continue;
        for (auto at = begin; at != end; ++at) {
            if (!is_special(*at)) at->error = INFINITY;
        }
    }
}

std::vector<Check> check_convolution(const Case& made, const Convolution& c, Pass pass) {
    const std::vector<double>&a = made.inputs[0].values, &b = made.inputs[1].values;
    const Operand& out = made.outputs[0];
    const DType dtype = out.view.dtype, compute = compute_of(dtype);
    std::vector<Sum> sums(static_cast<size_t>(element_count(out.view)));
    c.each([&](int64_t x, int64_t w, int64_t y) {
        const int64_t to = pass == Pass::weight ? w : is_backward(pass) ? x : y;
        const int64_t left = is_backward(pass) ? y : x, right = pass == Pass::weight ? y : w;
        sums[static_cast<size_t>(to)].add(a[static_cast<size_t>(left)] * b[static_cast<size_t>(right)]);
    });
    // Fast algorithms add and take off other terms than those of an element: the bound knows the largest
    // only.
    const double term = largest_finite(a) * largest_finite(b);
    const int64_t pixels = out.view.shape[2] * out.view.shape[3];
    std::vector<Expected> expected;
    for (size_t i = 0; i < sums.size(); ++i) {
        Sum sum = sums[i];
        sum.magnitude = static_cast<double>(sum.terms + 16) * term;
        if (made.inputs.size() == 3 && pass != Pass::masked)
            sum.add(made.inputs[2]
                        .values[i / static_cast<size_t>(pixels) % static_cast<size_t>(out.view.shape[1])]);
        sum.terms += 16;
        expected.push_back(sum.within(compute, dtype));
        double& value = expected.back().value;
        if (pass == Pass::relu && value < 0) value = 0;
        if (pass == Pass::masked && !(made.inputs[2].values[i] > 0)) expected.back() = {0, 0};
    }
    if (pass == Pass::weight && dtype != DType::float64 && cpu::takes_winograd(plan_of(c, pass)))
        allow_any_tap(c, expected);
    return {{&out, "convolution", std::move(expected), true}};
}

std::vector<Check> check_bias(const Case& made, const Convolution& c) {
    std::vector<Check> checks = check_convolution(made, c, Pass::weight);
    const std::vector<double>& dy = made.inputs[1].values;
    const Operand& out = made.outputs[1];
    std::vector<Sum> sums(static_cast<size_t>(c.out_channels));
    for (size_t i = 0; i < dy.size(); ++i)
        sums[i / static_cast<size_t>(c.out[0] * c.out[1]) % sums.size()].add(dy[i]);
    std::vector<Expected> expected;
    for (const Sum& sum : sums) expected.push_back(sum.within(compute_of(out.view.dtype), out.view.dtype));
    checks.push_back({&out, "dbias", std::move(expected)});
    return checks;
}

// Of the values that are stored: their errors move the mean by at most their own mean, and each square by
// twice its root.
std::vector<Check> check_statistics(const Case& made, const Convolution& c) {
    std::vector<Check> checks = check_convolution(made, c, Pass::statistics);
    const std::vector<Expected>& y = checks[0].expected;
    const double u = unit_roundoff(compute_of(made.outputs[0].view.dtype));
    const size_t pixels = static_cast<size_t>(c.out[0] * c.out[1]),
                 channels = static_cast<size_t>(c.out_channels);
    const double n = static_cast<double>(pixels) * static_cast<double>(c.images);
    std::vector<Expected> means(channels), squares(channels);
    std::vector<double> magnitudes(channels);
    for (size_t i = 0; i < y.size(); ++i) {
        const size_t channel = i / pixels % channels;
        means[channel].value += y[i].value / n;
        means[channel].error += y[i].error / n;
        magnitudes[channel] += std::fabs(y[i].value) / n;
    }
    for (size_t channel = 0; channel < channels; ++channel)
        means[channel].error += (n + 16) * u * magnitudes[channel];
    for (size_t i = 0; i < y.size(); ++i) {
        Expected& sum = squares[i / pixels % channels];
        const Expected& mean = means[i / pixels % channels];
        const double distance = std::fabs(y[i].value - mean.value), moved = y[i].error + mean.error;
        sum.value += distance * distance;
        sum.error += 2 * distance * moved + moved * moved + (n + 24) * u * distance * distance;
    }
    checks.push_back({&made.outputs[1], "mean", std::move(means), true});
    checks.push_back({&made.outputs[2], "squares", std::move(squares), true});
    return checks;
}

OpCode op_of(Pass pass) {
    switch (pass) {
        case Pass::forward:
            return OpCode::conv2d;
        case Pass::statistics:
            return OpCode::conv2d_statistics;
        case Pass::relu:
            return OpCode::conv2d_relu;
        case Pass::input:
            return OpCode::conv2d_backward_input;
        case Pass::masked:
            return OpCode::conv2d_backward_input_relu;
        default:
            return OpCode::conv2d_backward_weight;
    }
}

// What the plan of float32 takes: the op's own conditions.
std::vector<Way> ways_of(const Convolution& c, Pass pass, DType dtype) {
    std::vector<Way> ways;
    if (dtype != DType::float32 && dtype != DType::float16) return ways;
    const cpu::ConvPlan plan = plan_of(c, pass);
    ways.push_back(cpu::takes_winograd(plan)                             ? Way::conv_winograd
                   : cpu::is_depthwise(plan)                             ? Way::conv_depthwise
                   : pass != Pass::weight && cpu::is_pointwise(plan)     ? Way::conv_pointwise
                   : pass != Pass::weight && cpu::needs_no_padding(plan) ? Way::conv_in_place
                                                                         : Way::conv_direct);
    if (plan.bands() > 1) ways.push_back(Way::conv_bands);
    if (plan.phases.size() > 1) ways.push_back(Way::conv_phases);
    if (c.groups > 1 && !cpu::is_depthwise(plan)) ways.push_back(Way::conv_groups);
    return ways;
}

}  // namespace

Case draw_convolution(Workbench& bench) {
    Random& random = bench.random();
    const auto normal = [&] { return random.uniform(-1, 1) + random.uniform(-1, 1); };
    const Convolution c = draw_shape(bench);
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float32,
                                     DType::float64, DType::bfloat16, DType::bfloat16, DType::float16});
    const Pass pass = random.pick(
        {Pass::forward, Pass::statistics, Pass::relu, Pass::input, Pass::masked, Pass::weight, Pass::weight});
    const auto images = [&] {
        return random.pick({Layout::channels_last, Layout::channels_last, Layout::row_major, Layout::any});
    };
    const Shape first = is_backward(pass) ? c.y() : c.x(), second = pass == Pass::weight ? c.y() : c.w();
    Case made;
    made.inputs.push_back(bench.input(first, dtype, images(), normal));
    made.inputs.push_back(bench.input(second, dtype, pass == Pass::weight ? images() : Layout::any, normal));
    // Not the other operand: the margin's zeros meet it, and 0 * NaN is NaN.
    if (random.chance(0.1)) bench.spoil(made.inputs[0]);
    const OpCode op = op_of(pass);
    bool with_bias = random.chance(0.5);
    if (pass == Pass::weight) {
        made.outputs.push_back(bench.output(c.w(), dtype));
        if (with_bias) made.outputs.push_back(bench.output({c.out_channels}, dtype));
    } else {
        const Shape out = is_backward(pass) ? c.x() : c.y();
        if (pass == Pass::masked) {
            with_bias = false;
            made.inputs.push_back(bench.input(out, dtype, images(), normal));
        }
        if (with_bias) made.inputs.push_back(bench.input({out[1]}, dtype, Layout::row_major, normal));
        made.outputs.push_back(bench.output(out, dtype, Layout::channels_last));
        const DType wide = dtype == DType::float64 ? dtype : DType::float32;
        for (int i = 0; pass == Pass::statistics && i < 2; ++i)
            made.outputs.push_back(bench.output({c.out_channels}, wide));
    }
    call_with(made, op, c.params());
    made.ways = ways_of(c, pass, dtype);
    made.checks = [c, pass, with_bias](const Case& ran) {
        if (pass == Pass::statistics) return check_statistics(ran, c);
        return pass == Pass::weight && with_bias ? check_bias(ran, c) : check_convolution(ran, c, pass);
    };
    made.text = "groups " + std::to_string(c.groups) + ", stride " + text_of({c.stride[0], c.stride[1]}) +
                ", padding " + text_of({c.padding[0], c.padding[1]}) + ", dilation " +
                text_of({c.dilation[0], c.dilation[1]});
    return made;
}

}  // namespace nativegrad::fuzz
