// What an optimizer does to one element, in float64.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "case.h"

namespace nativegrad::fuzz {

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

struct RmspropSettings {
    double lr, alpha, epsilon, decay, momentum;
    bool centered, has_velocity;

    // Element: parameter, gradient, mean square (, mean) (, velocity)
    void update(Element& e) const {
        const double g = e[1] + decay * e[0];
        e[2] = alpha * e[2] + (1 - alpha) * g * g;
        double variance = e[2];
        if (centered) {
            e[3] = alpha * e[3] + (1 - alpha) * g;
            variance = std::max(variance - e[3] * e[3], 0.0);
        }
        double direction = g / (std::sqrt(variance) + epsilon);
        if (has_velocity) direction = e.back() = momentum * e.back() + direction;
        e[0] -= lr * direction;
    }
};

inline RmspropSettings draw_rmsprop(Random& random) {
    const bool has_velocity = random.chance(0.5);
    return {random.uniform(1e-4, 0.1), random.pick({0.9, 0.99}), 1e-6,        random.pick({0.0, 0.01}),
            has_velocity ? 0.9 : 0,    random.chance(0.5),       has_velocity};
}

inline RmspropParams params_of(Workbench& bench, const RmspropSettings& r) {
    return {bench.slot(r.lr),       bench.slot(r.alpha), bench.slot(r.epsilon), bench.slot(r.decay),
            bench.slot(r.momentum), r.centered,          r.has_velocity,        0};
}

inline AdamSettings draw_adam(Random& random) {
    return {random.uniform(1e-4, 0.1),  0.9,
            random.pick({0.99, 0.999}), 1e-6,
            random.pick({0.0, 0.01}),   static_cast<double>(random.integer(1, 20)),
            random.chance(0.5),         random.chance(0.3)};
}

inline SgdSettings draw_sgd(Random& random) {
    SgdSettings s{random.uniform(1e-4, 0.1), 0,     random.pick({0.0, 0.1}),
                  random.pick({0.0, 0.01}),  false, random.chance(0.3),
                  random.chance(0.7)};
    if (s.has_velocity) s.momentum = 0.9, s.nesterov = random.chance(0.5);
    return s;
}

inline AdamParams params_of(Workbench& bench, const AdamSettings& a) {
    return {bench.slot(a.lr),      bench.slot(a.beta1), bench.slot(a.beta2),
            bench.slot(a.epsilon), bench.slot(a.decay), bench.slot(a.step),
            a.decoupled,           a.amsgrad,           0};
}

inline SgdParams params_of(Workbench& bench, const SgdSettings& s) {
    SgdParams params{};
    params.lr = bench.slot(s.lr);
    params.momentum = bench.slot(s.momentum);
    params.dampening = bench.slot(s.dampening);
    params.weight_decay = bench.slot(s.decay);
    params.nesterov = s.nesterov;
    params.first = bench.slot(s.first ? 1 : 0);
    params.has_velocity = s.has_velocity;
    return params;
}

}  // namespace nativegrad::fuzz
