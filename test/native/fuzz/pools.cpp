#include <cmath>

#include "case.h"

namespace nativegrad::fuzz {

namespace {

struct Windows {
    int64_t images, channels, in[2], kernel[2], stride[2], padding[2], dilation[2], out[2];

    bool fits() {
        for (int i = 0; i < 2; ++i) {
            const int64_t reach = in[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
            if (reach < 0) return false;
            out[i] = reach / stride[i] + 1;
        }
        return true;
    }
    Shape x() const { return {images, channels, in[0], in[1]}; }
    Shape y() const { return {images, channels, out[0], out[1]}; }
    PoolParams params() const {
        return {{2, {kernel[0], kernel[1]}},
                {2, {stride[0], stride[1]}},
                {2, {padding[0], padding[1]}},
                {2, {dilation[0], dilation[1]}}};
    }
    // The index in x of a tap of window `y`, or -1 in the margin.
    int64_t tap(int64_t y_index, int64_t tap_index) const {
        const int64_t column = y_index % out[1], row = y_index / out[1] % out[0],
                      image = y_index / out[1] / out[0];
        const int64_t r = row * stride[0] + tap_index / kernel[1] * dilation[0] - padding[0];
        const int64_t c = column * stride[1] + tap_index % kernel[1] * dilation[1] - padding[1];
        return r < 0 || r >= in[0] || c < 0 || c >= in[1] ? -1 : (image * in[0] + r) * in[1] + c;
    }
};

// Position of the maximum: the first of equal ones, or the last NaN, as in PyTorch.
int64_t position(const Windows& w, const std::vector<double>& x, int64_t y_index) {
    int64_t best = -1;
    double largest = -INFINITY;
    for (int64_t k = 0; k < w.kernel[0] * w.kernel[1]; ++k) {
        const int64_t at = w.tap(y_index, k);
        if (at < 0) continue;
        const double value = x[static_cast<size_t>(at)];
        if (best < 0 || value > largest || std::isnan(value)) {
            best = k;
            largest = value;
        }
    }
    return best;
}

std::vector<Check> check_forward(const Case& made, const Windows& w) {
    const std::vector<double>& x = made.inputs[0].values;
    std::vector<Expected> values, positions;
    for (int64_t i = 0; i < size_of(w.y()); ++i) {
        const int64_t found = position(w, x, i);
        const double value = found < 0 ? -INFINITY : x[static_cast<size_t>(w.tap(i, found))];
        values.push_back({value, 0});
        positions.push_back({static_cast<double>(found), found < 0 ? 1e9 : 0});
    }
    return {{&made.outputs[0], "y", std::move(values)}, {&made.outputs[1], "index", std::move(positions)}};
}

std::vector<Check> check_backward(const Case& made, const Windows& w) {
    const std::vector<double>&dy = made.inputs[0].values, &index = made.inputs[1].values;
    const DType dtype = made.outputs[0].view.dtype;
    std::vector<Sum> sums(static_cast<size_t>(size_of(w.x())));
    for (size_t i = 0; i < dy.size(); ++i) {
        const int64_t at = w.tap(static_cast<int64_t>(i), static_cast<int64_t>(index[i]));
        if (at >= 0) sums[static_cast<size_t>(at)].add(dy[i]);
    }
    std::vector<Expected> expected;
    for (const Sum& sum : sums) expected.push_back(sum.within(compute_of(dtype), dtype));
    return {{&made.outputs[0], "dx", std::move(expected)}};
}

}  // namespace

// x [N, C, H, W] -> y, index [N, C, H', W']; dy, index -> dx
Case draw_pool(Workbench& bench) {
    Random& random = bench.random();
    Windows w{};
    do {
        w.images = random.integer(1, 3);
        w.channels = random.size(80);
        const bool plain = random.chance(0.4);
        for (int i = 0; i < 2; ++i) {
            w.in[i] = random.integer(1, bench.large() ? 24 : 12);
            w.kernel[i] = plain ? 2 : random.integer(1, 4);
            w.stride[i] = plain ? 2 : random.integer(1, 4);
            w.padding[i] = plain ? 0 : random.integer(0, w.kernel[i] / 2);
            w.dilation[i] = plain ? 1 : random.pick<int64_t>({1, 1, 2});
        }
    } while (!w.fits());
    const auto normal = [&] { return random.uniform(-2, 2); };
    const DType dtype =
        random.pick({DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16});
    const Layout images = random.pick({Layout::channels_last, Layout::channels_last, Layout::any});
    Case made;
    const bool forward = random.chance(0.5);
    if (forward) {
        made.inputs.push_back(bench.input(w.x(), dtype, images, normal));
        if (random.chance(0.15)) bench.spoil(made.inputs[0]);
        made.outputs.push_back(bench.output(w.y(), dtype, Layout::channels_last));
        made.outputs.push_back(bench.output(w.y(), DType::uint8, Layout::channels_last));
        call_with(made, OpCode::max_pool2d, w.params());
    } else {
        std::vector<double> index;
        for (int64_t i = 0; i < size_of(w.y()); ++i) {
            int64_t tap = random.integer(0, w.kernel[0] * w.kernel[1] - 1);
            for (int64_t tries = 0; w.tap(i, tap) < 0 && tries < w.kernel[0] * w.kernel[1]; ++tries)
                tap = (tap + 1) % (w.kernel[0] * w.kernel[1]);
            index.push_back(static_cast<double>(tap));
        }
        made.inputs.push_back(bench.input(w.y(), dtype, images, normal));
        made.inputs.push_back(bench.input(w.y(), DType::uint8, Layout::channels_last, index));
        made.outputs.push_back(bench.output(w.x(), dtype, Layout::channels_last));
        call_with(made, OpCode::max_pool2d_backward, w.params());
    }
    made.checks = [w, forward](const Case& ran) {
        return forward ? check_forward(ran, w) : check_backward(ran, w);
    };
    made.text = "kernel " + text_of({w.kernel[0], w.kernel[1]}) + ", stride " +
                text_of({w.stride[0], w.stride[1]}) + ", padding " + text_of({w.padding[0], w.padding[1]}) +
                ", dilation " + text_of({w.dilation[0], w.dilation[1]});
    return made;
}

}  // namespace nativegrad::fuzz
