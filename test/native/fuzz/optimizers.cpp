#include <algorithm>
#include <cmath>

#include "updates.h"

namespace nativegrad::fuzz {

namespace {

// What a loss scaler says; without one there is no count of skipped steps behind each group.
struct Scaling {
    bool is_used, found;
    double multiplier;
};

Scaling draw_scaling(Random& random) {
    if (random.chance(0.6)) return {false, false, 1};
    return {true, random.chance(0.2), random.pick({1.0, 0.25, 0x1p-10})};
}

std::vector<Check> check_update(const Case& made, int32_t size, bool casts, const Scaling& scaling,
                                const std::function<void(Element&)>& update) {
    std::vector<Check> checks;
    const size_t own = static_cast<size_t>(size) + (casts ? 1 : 0), step = own + (scaling.is_used ? 1 : 0);
    for (size_t group = 0; group < made.outputs.size(); group += step) {
        const size_t count = made.outputs[group].values.size();
        std::vector<std::vector<Expected>> expected(static_cast<size_t>(size));
        std::vector<Expected> copy;
        for (size_t i = 0; i < count; ++i) {
            Element before;
            for (int32_t k = 0; k < size; ++k)
                before.push_back(made.outputs[group + static_cast<size_t>(k)].values[i]);
            Element after = before;
            after[1] *= scaling.multiplier;
            if (!scaling.found) update(after);
            after[1] = before[1];
            const double u = unit_roundoff(made.outputs[group].view.dtype);
            for (size_t k = 0; k < after.size(); ++k) {
                const double scale = std::fabs(before[k]) + std::fabs(before[1]) + std::fabs(after[k]) + 1;
                expected[k].push_back({after[k], scaling.found ? 0 : 40 * u * scale});
            }
            if (!casts) continue;
            const Operand& low = made.outputs[group + after.size()];
            const double rounding = 1.01 * unit_roundoff(low.view.dtype) * std::fabs(after[0]);
            if (scaling.found)
                copy.push_back({low.values[i], 0});
            else
                copy.push_back({after[0], expected[0].back().error + rounding + tiny(low.view.dtype)});
        }
        for (size_t k = 0; k < expected.size(); ++k)
            checks.push_back(
                {&made.outputs[group + k], "operand " + std::to_string(k), std::move(expected[k])});
        if (casts) checks.push_back({&made.outputs[group + expected.size()], "copy", std::move(copy)});
        if (scaling.is_used)
            checks.push_back({&made.outputs[group + own], "skipped", {{scaling.found ? 1.0 : 0.0, 0}}});
    }
    return checks;
}

// low(k): of what operand k of a group is drawn from
template <class Settings>
Case draw_groups(Workbench& bench, OpCode op, const Settings& settings, int32_t size,
                 const std::function<double(int32_t)>& low) {
    Random& random = bench.random();
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64});
    const Scaling scaling = draw_scaling(random);
    const bool casts = dtype == DType::float32 && random.chance(0.3);
    const DType half = random.pick({DType::float16, DType::bfloat16});
    const auto number = [&](DType of, double value) {
        return bench.input({1}, of, Layout::row_major, [value] { return value; });
    };
    Case made;
    if (scaling.is_used) {
        made.inputs.push_back(number(DType::int32, scaling.found ? 1 : 0));
        if (scaling.multiplier != 1) made.inputs.push_back(number(DType::float32, scaling.multiplier));
    }
    for (int64_t groups = random.integer(1, 4); groups > 0; --groups) {
        Shape shape{random.size(bench.large() ? 3000 : 300)};
        if (random.chance(0.5)) shape.push_back(random.integer(1, 20));
        for (int32_t k = 0; k < size; ++k)
            made.outputs.push_back(bench.in_place(shape, dtype, Layout::row_major,
                                                  [&] { return random.uniform(low(k), low(k) + 2); }));
        if (casts)
            made.outputs.push_back(
                bench.in_place(shape, half, Layout::row_major, [&] { return random.uniform(-1, 1); }));
        if (scaling.is_used)
            made.outputs.push_back(bench.in_place({1}, DType::int32, Layout::row_major, [] { return 0.0; }));
    }
    auto params = params_of(bench, settings);
    params.casts = casts ? 1 : 0;
    call_with(made, op, params);
    made.checks = [settings, size, casts, scaling](const Case& ran) {
        return check_update(ran, size, casts, scaling, [settings](Element& e) { settings.update(e); });
    };
    return made;
}

}  // namespace

// groups of (parameter, gradient, state...), updated in place
Case draw_optimizer(Workbench& bench) {
    Random& random = bench.random();
    switch (random.integer(0, 3)) {
        case 0: {
            const SgdSettings s = draw_sgd(random);
            return draw_groups(bench, OpCode::sgd_step, s, s.has_velocity ? 3 : 2,
                               [](int32_t) { return -1.0; });
        }
        case 1: {
            const RmspropSettings r = draw_rmsprop(random);
            // The mean square stays well above the square of the mean.
            return draw_groups(bench, OpCode::rmsprop_step, r, 3 + r.centered + r.has_velocity,
                               [](int32_t k) { return k == 2 ? 2.0 : -1.0; });
        }
        default: {
            const AdamSettings a = draw_adam(random);
            // Squares are not negative.
            return draw_groups(bench, OpCode::adam_step, a, a.amsgrad ? 5 : 4,
                               [](int32_t k) { return k >= 3 ? 0.01 : -1.0; });
        }
    }
}

}  // namespace nativegrad::fuzz
