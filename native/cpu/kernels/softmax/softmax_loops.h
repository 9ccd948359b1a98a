// Included inside an instruction-set namespace.

float exp_sum_f32(const float* x, float shift, float* y, int64_t n) {
    const F32 middle(shift);
    F32 total(0.0);
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) {
        const F32 e = exp(load(x + i) - middle);
        if (y != nullptr) store(y + i, e);
        total = total + e;
    }
    float tail = 0.0f;
    if (i < n) {
        const F32 e = exp(load_part(x + i, n - i) - middle);
        if (y != nullptr) store_part(y + i, e, n - i);
        float lanes[F32::width];
        store(lanes, e);
        for (int64_t lane = 0; lane < n - i; ++lane) tail += lanes[lane];
    }
    return sum_lanes(total) + tail;
}
