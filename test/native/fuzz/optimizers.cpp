#include <cmath>

#include "case.h"

namespace nativegrad::fuzz {

namespace {

// The values of one element of a group: parameter, gradient and state.
using Element = std::vector<double>;

struct AdamSettings {
    double lr, beta1, beta2, epsilon, decay, step;
    bool decoupled, amsgrad;

    void update(Element& e) const {
        double &p = e[0], &m = e[2], &v = e[3];
        double g = e[1];
        if (decoupled) {
            p *= 1 - lr * decay;
        } else {
            g += decay * p;
        }
        m = beta1 * m + (1 - beta1) * g;
        v = beta2 * v + (1 - beta2) * g * g;
        if (amsgrad) e[4] = std::max(e[4], v);
        const double bound = amsgrad ? e[4] : v;
        const double root = std::sqrt(bound / (1 - std::pow(beta2, step))) + epsilon;
        p -= lr / (1 - std::pow(beta1, step)) * m / root;
    }
};

struct SgdSettings {
    double lr, momentum, dampening, decay;
    bool nesterov, first, has_velocity;

    void update(Element& e) const {
        double d = e[1] + decay * e[0];
        if (has_velocity) {
            e[2] = first ? d : momentum * e[2] + (1 - dampening) * d;
            d = nesterov ? d + momentum * e[2] : e[2];
        }
        e[0] -= lr * d;
    }
};

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
    const AdamSettings a{random.uniform(1e-4, 0.1),  0.9,
                         random.pick({0.99, 0.999}), 1e-6,
                         random.pick({0.0, 0.01}),   static_cast<double>(random.integer(1, 20)),
                         random.chance(0.5),         random.chance(0.3)};
    SgdSettings s{random.uniform(1e-4, 0.1), 0,     random.pick({0.0, 0.1}),
                  random.pick({0.0, 0.01}),  false, random.chance(0.3),
                  random.chance(0.7)};
    if (s.has_velocity) s.momentum = 0.9, s.nesterov = random.chance(0.5);
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
        call_with(
            made, OpCode::adam_step,
            AdamParams{bench.slot(a.lr), bench.slot(a.beta1), bench.slot(a.beta2), bench.slot(a.epsilon),
                       bench.slot(a.decay), bench.slot(a.step), a.decoupled, a.amsgrad});
        made.checks = [a, size](const Case& ran) {
            return check_update(ran, size, [a](Element& e) { a.update(e); });
        };
    } else {
        SgdParams params{};
        params.lr = bench.slot(s.lr);
        params.momentum = bench.slot(s.momentum);
        params.dampening = bench.slot(s.dampening);
        params.weight_decay = bench.slot(s.decay);
        params.nesterov = s.nesterov;
        params.first = bench.slot(s.first ? 1 : 0);
        params.has_velocity = s.has_velocity;
        call_with(made, OpCode::sgd_step, params);
        made.checks = [s, size](const Case& ran) {
            return check_update(ran, size, [s](Element& e) { s.update(e); });
        };
    }
    return made;
}

}  // namespace nativegrad::fuzz
