// Ops of loss scaling, and the cast of many tensors at once.
#include <cmath>

#include "case.h"

namespace nativegrad::fuzz {

namespace {

const Shape one{1};

Operand number(Workbench& bench, DType dtype, double value, bool is_output) {
    const std::function<double()> draw = [value] { return value; };
    return is_output ? bench.in_place(one, dtype, Layout::row_major, draw)
                     : bench.input(one, dtype, Layout::row_major, draw);
}

Check exactly(const Operand& out, const std::string& name, const std::vector<double>& values) {
    std::vector<Expected> expected;
    for (const double value : values) expected.push_back({value, 0});
    return {&out, name, std::move(expected)};
}

// Gradients of float32 and float64 without gaps, with NaN or an infinity in some.
std::vector<Operand> draw_gradients(Workbench& bench, bool is_output) {
    Random& random = bench.random();
    std::vector<Operand> made;
    for (int64_t count = random.integer(1, 5); count > 0; --count) {
        Shape shape{random.size(bench.large() ? 60000 : 500)};
        if (random.chance(0.5)) shape.push_back(random.integer(1, 9));
        const DType dtype = random.pick({DType::float32, DType::float32, DType::float64});
        const std::function<double()> draw = [&] { return random.uniform(-9, 9); };
        made.push_back(is_output ? bench.in_place(shape, dtype, Layout::permuted, draw)
                                 : bench.input(shape, dtype, Layout::permuted, draw));
        if (random.chance(0.1)) bench.spoil(made.back());
    }
    return made;
}

double found_in(const std::vector<Operand>& all, size_t first, double before) {
    for (size_t i = first; i < all.size(); ++i) {
        for (const double x : all[i].values) {
            if (!std::isfinite(x)) return 1;
        }
    }
    return before;
}

double draw_inverse(Random& random) { return random.pick({1.0, 0x1p-16, 0x1p-3}); }

Case draw_check(Workbench& bench) {
    Random& random = bench.random();
    const double inverse = draw_inverse(random), before = random.chance(0.1) ? 1 : 0;
    const bool sums = random.chance(0.5);
    Case made;
    made.inputs = draw_gradients(bench, false);
    made.inputs.insert(made.inputs.begin(), number(bench, DType::float32, inverse, false));
    made.outputs.push_back(number(bench, DType::int32, before, true));
    if (sums) made.outputs.push_back(bench.output(one, DType::float64));
    call_with(made, OpCode::amp_check, NoParams{});
    made.checks = [=](const Case& ran) {
        std::vector<Check> checks{exactly(ran.outputs[0], "found", {found_in(ran.inputs, 1, before)})};
        if (!sums) return checks;
        Sum sum;
        for (size_t i = 1; i < ran.inputs.size(); ++i) {
            for (const double x : ran.inputs[i].values) sum.add(x * inverse * x * inverse);
        }
        checks.push_back({&ran.outputs[1], "squares", {sum.within(DType::float64, DType::float64)}, true});
        return checks;
    };
    return made;
}

Case draw_unscale(Workbench& bench) {
    Random& random = bench.random();
    const double inverse = draw_inverse(random);
    Case made;
    made.outputs = draw_gradients(bench, true);
    made.outputs.insert(made.outputs.begin(), number(bench, DType::int32, 0, true));
    made.inputs.push_back(number(bench, DType::float32, inverse, false));
    call_with(made, OpCode::amp_unscale, NoParams{});
    made.checks = [=](const Case& ran) {
        std::vector<Check> checks{exactly(ran.outputs[0], "found", {found_in(ran.outputs, 1, 0)})};
        for (size_t i = 1; i < ran.outputs.size(); ++i) {
            std::vector<double> values = ran.outputs[i].values;
            for (double& x : values) x *= inverse;
            checks.push_back(exactly(ran.outputs[i], "gradient", values));
        }
        return checks;
    };
    return made;
}

Case draw_factor(Workbench& bench) {
    Random& random = bench.random();
    const double inverse = draw_inverse(random), max_norm = random.uniform(0, 20);
    Case made;
    made.inputs.push_back(number(bench, DType::float32, inverse, false));
    made.inputs.push_back(bench.input({random.integer(1, 9)}, DType::float64, Layout::row_major,
                                      [&] { return random.uniform(0, 30); }));
    made.outputs = {bench.output(one, DType::float32), bench.output(one, DType::float32)};
    call_with(made, OpCode::amp_factor, AmpFactorParams{bench.slot(max_norm)});
    made.checks = [=](const Case& ran) {
        double squares = 0;
        for (const double x : ran.inputs[1].values) squares += x;
        const double norm = std::sqrt(squares), ratio = max_norm / (norm + 1e-6);
        const double multiplier = inverse * (ratio < 1 ? ratio : 1);
        return std::vector<Check>{{&ran.outputs[0], "multiplier", {{multiplier, 1e-7 * multiplier}}},
                                  {&ran.outputs[1], "norm", {{norm, 1e-7 * norm}}}};
    };
    return made;
}

Case draw_update(Workbench& bench) {
    Random& random = bench.random();
    const double scale = std::ldexp(1, static_cast<int>(random.integer(-20, 20)));
    const double tracker = static_cast<double>(random.integer(0, 4)), interval = 5;
    Case made;
    made.outputs = {number(bench, DType::float32, scale, true),
                    number(bench, DType::float32, 1 / scale, true),
                    bench.in_place({3}, DType::int32, Layout::row_major, [=] { return tracker; })};
    bool found = false;
    for (int64_t count = random.integer(1, 3); count > 0; --count) {
        const bool flag = random.chance(0.3);
        found = found || flag;
        made.outputs.push_back(number(bench, DType::int32, flag ? 1 : 0, true));
    }
    call_with(made, OpCode::amp_update,
              AmpUpdateParams{bench.slot(2), bench.slot(0.5), bench.slot(interval)});
    made.checks = [=](const Case& ran) {
        const bool grows = !found && tracker + 1 == interval;
        const double next = scale * (found ? 0.5 : grows ? 2 : 1);
        const std::vector<double> counts{found || grows ? 0 : tracker + 1, tracker + (found ? 1 : 0),
                                         found ? tracker + 1 : 0};
        std::vector<Check> checks{exactly(ran.outputs[0], "scale", {next}),
                                  exactly(ran.outputs[1], "inverse", {1 / next}),
                                  exactly(ran.outputs[2], "counts", counts)};
        for (size_t i = 3; i < ran.outputs.size(); ++i)
            checks.push_back(exactly(ran.outputs[i], "found", {0}));
        return checks;
    };
    return made;
}

// x float32 each -> float16 or bfloat16 each
Case draw_casts(Workbench& bench) {
    Random& random = bench.random();
    const DType dtype = random.pick({DType::float16, DType::bfloat16});
    Case made;
    for (int64_t count = random.integer(1, 6); count > 0; --count) {
        const bool is_image = random.chance(0.3);
        Shape shape{random.size(bench.large() ? 60000 : 500)};
        if (is_image) shape = {random.integer(1, 4), random.integer(1, 9), random.integer(1, 20), 7};
        const Layout layout = is_image ? Layout::channels_last : Layout::row_major;
        made.inputs.push_back(
            bench.input(shape, DType::float32, layout, [&] { return random.uniform(-70000, 70000); }));
        if (random.chance(0.1)) bench.spoil(made.inputs.back());
        made.outputs.push_back(bench.output(shape, dtype, layout));
    }
    call_with(made, OpCode::cast_all, NoParams{});
    made.checks = [=](const Case& ran) {
        std::vector<Check> checks;
        for (size_t i = 0; i < ran.inputs.size(); ++i) {
            std::vector<double> values = ran.inputs[i].values;
            for (double& x : values) x = rounded(dtype, x);
            checks.push_back(exactly(ran.outputs[i], "out", values));
        }
        return checks;
    };
    return made;
}

}  // namespace

Case draw_loss_scaling(Workbench& bench) {
    switch (bench.random().integer(0, 5)) {
        case 0:
            return draw_unscale(bench);
        case 1:
            return draw_factor(bench);
        case 2:
            return draw_update(bench);
        case 3:
            return draw_casts(bench);
        default:
            return draw_check(bench);
    }
}

}  // namespace nativegrad::fuzz
