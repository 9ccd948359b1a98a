#include <algorithm>
#include <cmath>

#include "updates.h"

namespace nativegrad::fuzz {

namespace {

std::vector<Check> check_update(const Case& made, int32_t size, const std::function<void(Element&)>& update) {
    std::vector<Check> checks;
    for (size_t group = 0; group < made.outputs.size(); group += static_cast<size_t>(size)) {
        const size_t count = made.outputs[group].values.size();
        std::vector<std::vector<Expected>> expected(static_cast<size_t>(size));
        for (size_t i = 0; i < count; ++i) {
            Element before;
            for (int32_t k = 0; k < size; ++k)
                before.push_back(made.outputs[group + static_cast<size_t>(k)].values[i]);
            Element after = before;
            update(after);
            const double u = unit_roundoff(made.outputs[group].view.dtype);
            for (size_t k = 0; k < after.size(); ++k) {
                const double scale = std::fabs(before[k]) + std::fabs(before[1]) + std::fabs(after[k]) + 1;
                expected[k].push_back({after[k], 40 * u * scale});
            }
        }
        for (size_t k = 0; k < expected.size(); ++k)
            checks.push_back(
                {&made.outputs[group + k], "operand " + std::to_string(k), std::move(expected[k])});
    }
    return checks;
}

}  // namespace

// groups of (parameter, gradient, state...), updated in place
Case draw_optimizer(Workbench& bench) {
    Random& random = bench.random();
    const bool adam = random.chance(0.6);
    const AdamSettings a = draw_adam(random);
    const SgdSettings s = draw_sgd(random);
    const int32_t size = adam ? (a.amsgrad ? 5 : 4) : (s.has_velocity ? 3 : 2);
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64});
    Case made;
    for (int64_t groups = random.integer(1, 4); groups > 0; --groups) {
        Shape shape{random.size(300)};
        if (random.chance(0.5)) shape.push_back(random.integer(1, 20));
        for (int32_t k = 0; k < size; ++k) {
            // Squares are not negative.
            const double low = adam && k >= 3 ? 0.01 : -1;
            made.outputs.push_back(
                bench.in_place(shape, dtype, Layout::row_major, [&] { return random.uniform(low, 1); }));
        }
    }
    if (adam) {
        call_with(made, OpCode::adam_step, params_of(bench, a));
        made.checks = [a, size](const Case& ran) {
            return check_update(ran, size, [a](Element& e) { a.update(e); });
        };
    } else {
        call_with(made, OpCode::sgd_step, params_of(bench, s));
        made.checks = [s, size](const Case& ran) {
            return check_update(ran, size, [s](Element& e) { s.update(e); });
        };
    }
    return made;
}

}  // namespace nativegrad::fuzz
