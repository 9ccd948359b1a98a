// Included inside an instruction-set namespace.

// Each update has two loops: with the gradients as they are, and with those of a scaled loss.

struct AdamLanes {
    F32 beta1, beta2, rest1, rest2, epsilon, step_size, root_scale, decay, shrink, gradient_scale;

    explicit AdamLanes(const AdamStep& s)
        : beta1(s.beta1),
          beta2(s.beta2),
          rest1(1.0 - s.beta1),
          rest2(1.0 - s.beta2),
          epsilon(s.epsilon),
          step_size(s.step_size),
          root_scale(s.root_scale),
          decay(s.decay),
          shrink(s.shrink),
          gradient_scale(s.gradient_scale) {}

    void update(F32& p, F32 g, F32& m, F32& v) const {
        p = p * shrink;
        g = fma(decay, p, g);
        m = fma(rest1, g - m, m);
        v = fma(rest2 * g, g, beta2 * v);
    }
    F32 apply(F32 p, F32 m, F32 largest) const {
        return p - step_size * m / (sqrt(largest) * root_scale + epsilon);
    }
};

template <bool scaled, class Load, class Store>
inline void adam_vector(const AdamLanes& lanes, float* p, const float* g, float* m, float* v, float* largest,
                        Load load_at, Store store_at) {
    F32 weight = load_at(p), gradient = load_at(g), first = load_at(m), second = load_at(v);
    if constexpr (scaled) gradient = gradient * lanes.gradient_scale;
    lanes.update(weight, gradient, first, second);
    F32 bound = second;
    if (largest != nullptr) {
        bound = max(load_at(largest), second);
        store_at(largest, bound);
    }
    store_at(p, lanes.apply(weight, first, bound));
    store_at(m, first);
    store_at(v, second);
}

template <bool scaled>
void adam_loop(const AdamLanes& lanes, float* p, const float* g, float* m, float* v, float* largest,
               int64_t n) {
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) {
        adam_vector<scaled>(
            lanes, p + i, g + i, m + i, v + i, largest ? largest + i : nullptr,
            [](const float* from) { return load(from); }, [](float* to, F32 x) { store(to, x); });
    }
    const int64_t rest = n - i;
    if (rest == 0) return;
    adam_vector<scaled>(
        lanes, p + i, g + i, m + i, v + i, largest ? largest + i : nullptr,
        [rest](const float* from) { return load_part(from, rest); },
        [rest](float* to, F32 x) { store_part(to, x, rest); });
}

void adam_f32(const AdamStep& step, float* p, const float* g, float* m, float* v, float* largest, int64_t n) {
    const AdamLanes lanes(step);
    if (step.gradient_scale == 1) return adam_loop<false>(lanes, p, g, m, v, largest, n);
    adam_loop<true>(lanes, p, g, m, v, largest, n);
}

struct SgdLanes {
    F32 lr, momentum, keep, decay, gradient_scale;
    bool nesterov, first;

    explicit SgdLanes(const SgdStep& s)
        : lr(s.lr),
          momentum(s.momentum),
          keep(1.0 - s.dampening),
          decay(s.decay),
          gradient_scale(s.gradient_scale),
          nesterov(s.nesterov != 0),
          first(s.first != 0) {}
};

template <bool scaled, class Load, class Store>
inline void sgd_vector(const SgdLanes& lanes, float* p, const float* g, float* velocity, Load load_at,
                       Store store_at) {
    const F32 weight = load_at(p);
    F32 gradient = load_at(g);
    if constexpr (scaled) gradient = gradient * lanes.gradient_scale;
    F32 direction = fma(lanes.decay, weight, gradient);
    if (velocity != nullptr) {
        const F32 moved =
            lanes.first ? direction : fma(lanes.momentum, load_at(velocity), lanes.keep * direction);
        store_at(velocity, moved);
        direction = lanes.nesterov ? fma(lanes.momentum, moved, direction) : moved;
    }
    store_at(p, fma(-lanes.lr, direction, weight));
}

template <bool scaled>
void sgd_loop(const SgdLanes& lanes, float* p, const float* g, float* velocity, int64_t n) {
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) {
        sgd_vector<scaled>(
            lanes, p + i, g + i, velocity ? velocity + i : nullptr,
            [](const float* from) { return load(from); }, [](float* to, F32 x) { store(to, x); });
    }
    const int64_t rest = n - i;
    if (rest == 0) return;
    sgd_vector<scaled>(
        lanes, p + i, g + i, velocity ? velocity + i : nullptr,
        [rest](const float* from) { return load_part(from, rest); },
        [rest](float* to, F32 x) { store_part(to, x, rest); });
}

void sgd_f32(const SgdStep& step, float* p, const float* g, float* velocity, int64_t n) {
    const SgdLanes lanes(step);
    if (step.gradient_scale == 1) return sgd_loop<false>(lanes, p, g, velocity, n);
    sgd_loop<true>(lanes, p, g, velocity, n);
}

struct RmspropLanes {
    F32 lr, alpha, rest, epsilon, decay, momentum, gradient_scale;

    explicit RmspropLanes(const RmspropStep& s)
        : lr(s.lr),
          alpha(s.alpha),
          rest(1.0 - s.alpha),
          epsilon(s.epsilon),
          decay(s.decay),
          momentum(s.momentum),
          gradient_scale(s.gradient_scale) {}
};

template <bool scaled, class Load, class Store>
inline void rmsprop_vector(const RmspropLanes& lanes, float* p, const float* g, float* square, float* mean,
                           float* velocity, Load load_at, Store store_at) {
    const F32 weight = load_at(p);
    F32 gradient = load_at(g);
    if constexpr (scaled) gradient = gradient * lanes.gradient_scale;
    gradient = fma(lanes.decay, weight, gradient);
    F32 variance = fma(lanes.rest * gradient, gradient, lanes.alpha * load_at(square));
    store_at(square, variance);
    if (mean != nullptr) {
        const F32 before = load_at(mean), average = fma(lanes.rest, gradient - before, before);
        store_at(mean, average);
        // Rounding may bring the difference below zero.
        variance = max(F32(0.0), variance - average * average);
    }
    F32 direction = gradient / (sqrt(variance) + lanes.epsilon);
    if (velocity != nullptr) {
        direction = fma(lanes.momentum, load_at(velocity), direction);
        store_at(velocity, direction);
    }
    store_at(p, fma(-lanes.lr, direction, weight));
}

template <bool scaled>
void rmsprop_loop(const RmspropLanes& lanes, float* p, const float* g, float* square, float* mean,
                  float* velocity, int64_t n) {
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) {
        rmsprop_vector<scaled>(
            lanes, p + i, g + i, square + i, mean ? mean + i : nullptr, velocity ? velocity + i : nullptr,
            [](const float* from) { return load(from); }, [](float* to, F32 x) { store(to, x); });
    }
    const int64_t rest = n - i;
    if (rest == 0) return;
    rmsprop_vector<scaled>(
        lanes, p + i, g + i, square + i, mean ? mean + i : nullptr, velocity ? velocity + i : nullptr,
        [rest](const float* from) { return load_part(from, rest); },
        [rest](float* to, F32 x) { store_part(to, x, rest); });
}

void rmsprop_f32(const RmspropStep& step, float* p, const float* g, float* square, float* mean,
                 float* velocity, int64_t n) {
    const RmspropLanes lanes(step);
    if (step.gradient_scale == 1) return rmsprop_loop<false>(lanes, p, g, square, mean, velocity, n);
    rmsprop_loop<true>(lanes, p, g, square, mean, velocity, n);
}
