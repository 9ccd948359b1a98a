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

// y[j] = step(y[j], x[r, j], j) for every row r, in the order of the rows, several vectors of columns at a
// time.
template <int vectors, class Step>
inline void step_columns(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t j, Step step) {
    F32 total[vectors];
    for (int i = 0; i < vectors; ++i) total[i] = load(y + j + i * F32::width);
    for (int64_t r = 0; r < rows; ++r) {
        const float* row = x + r * row_stride + j;
        for (int i = 0; i < vectors; ++i)
            total[i] = step(total[i], load(row + i * F32::width), j + i * F32::width);
    }
    for (int i = 0; i < vectors; ++i) store(y + j + i * F32::width, total[i]);
}

template <class Step, class PartStep>
inline void step_rows(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n, Step step,
                      PartStep part_step) {
    int64_t j = 0;
    for (; j + 4 * F32::width <= n; j += 4 * F32::width) step_columns<4>(x, row_stride, rows, y, j, step);
    for (; j + F32::width <= n; j += F32::width) step_columns<1>(x, row_stride, rows, y, j, step);
    if (j == n) return;
    F32 total = load_part(y + j, n - j);
    for (int64_t r = 0; r < rows; ++r) total = part_step(total, load_part(x + r * row_stride + j, n - j), j);
    store_part(y + j, total, n - j);
}

void add_rows_f32(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n) {
    const auto add = [](F32 total, F32 v, int64_t) { return total + v; };
    step_rows(x, row_stride, rows, y, n, add, add);
}

void add_rows_wide_f32(const float* x, int64_t row_stride, int64_t rows, double* total, int64_t n) {
    constexpr int64_t few = 16;
    each_column_block(n, [=](auto block, int64_t first) {
        constexpr int count = decltype(block)::count;
        for (int64_t from = 0; from < rows; from += few) {
            const int64_t to = rows - from < few ? rows : from + few;
            F32 part[count];
            for (int j = 0; j < count; ++j) part[j] = F32(0.0);
            for (int64_t r = from; r < to; ++r) {
                for (int j = 0; j < count; ++j) part[j] = part[j] + block.get(x + r * row_stride + first, j);
            }
            for (int j = 0; j < count; ++j) add_wide(total + first + j * F32::width, part[j], block.lanes);
        }
    });
}

void add_square_rows_f32(const float* x, int64_t row_stride, int64_t rows, const float* center, float* y,
                         int64_t n) {
    const auto square = [](F32 d) { return d * d; };
    step_rows(
        x, row_stride, rows, y, n,
        [&](F32 total, F32 v, int64_t j) { return total + square(v - load(center + j)); },
        [&](F32 total, F32 v, int64_t j) { return total + square(v - load_part(center + j, n - j)); });
}

void max_rows_f32(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n) {
    const auto pick = [](F32 best, F32 v, int64_t) { return PickMax{}(best, v); };
    step_rows(x, row_stride, rows, y, n, pick, pick);
}

void min_rows_f32(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n) {
    const auto pick = [](F32 best, F32 v, int64_t) { return PickMin{}(best, v); };
    step_rows(x, row_stride, rows, y, n, pick, pick);
}
