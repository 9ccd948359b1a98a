// Included inside an instruction-set namespace.

// Four accumulators hide the latency of the addition.
template <class Term>
float sum_terms(const float* x, int64_t n, Term term) {
    F32 total[4] = {F32(0.0), F32(0.0), F32(0.0), F32(0.0)};
    int64_t i = 0;
    for (; i + 4 * F32::width <= n; i += 4 * F32::width) {
        for (int lane = 0; lane < 4; ++lane)
            total[lane] = total[lane] + term(load(x + i + lane * F32::width));
    }
    for (; i + F32::width <= n; i += F32::width) total[0] = total[0] + term(load(x + i));
    float tail = 0.0f;
    if (i < n) {
        float lanes[F32::width];
        store(lanes, term(load_part(x + i, n - i)));
        for (int64_t lane = 0; lane < n - i; ++lane) tail += lanes[lane];
    }
    return sum_lanes((total[0] + total[1]) + (total[2] + total[3])) + tail;
}

float sum_f32(const float* x, int64_t n) {
    return sum_terms(x, n, [](F32 v) { return v; });
}

float sum_of_squares_f32(const float* x, float center, int64_t n) {
    const F32 middle(center);
    return sum_terms(x, n, [middle](F32 v) { return (v - middle) * (v - middle); });
}

template <class Pick>
float extreme_f32(const float* x, int64_t n, Pick pick) {
    F32 best = F32(x[0]);
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) best = pick(best, load(x + i));
    float lanes[F32::width];
    store(lanes, best);
    float result = lanes[0];
    for (int64_t lane = 1; lane < F32::width; ++lane) {
        result = pick.one(result, lanes[lane]);
    }
    for (; i < n; ++i) result = pick.one(result, x[i]);
    return result;
}

struct PickMax {
    F32 operator()(F32 a, F32 b) const { return select(is_nan(a), a, max(a, b)); }
    float one(float a, float b) const { return a != a || a > b ? a : b; }
};
struct PickMin {
    F32 operator()(F32 a, F32 b) const { return select(is_nan(a), a, min(a, b)); }
    float one(float a, float b) const { return a != a || a < b ? a : b; }
};

float max_f32(const float* x, int64_t n) { return extreme_f32(x, n, PickMax{}); }
float min_f32(const float* x, int64_t n) { return extreme_f32(x, n, PickMin{}); }

void add_rows_f32(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n) {
    int64_t j = 0;
    for (; j + F32::width <= n; j += F32::width) {
        F32 total = load(y + j);
        for (int64_t r = 0; r < rows; ++r) total = total + load(x + r * row_stride + j);
        store(y + j, total);
    }
    if (j == n) return;
    F32 total = load_part(y + j, n - j);
    for (int64_t r = 0; r < rows; ++r) total = total + load_part(x + r * row_stride + j, n - j);
    store_part(y + j, total, n - j);
}
