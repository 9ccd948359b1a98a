// A row of n floats as vectors of which the last is masked. Included inside an instruction-set namespace.

struct WholeVector {
    F32 get(const float* from) const { return load(from); }
    F32 get(const float* from, F32) const { return load(from); }
    void put(float* to, F32 x) const { store(to, x); }
};

struct PartOfVector {
    int64_t lanes;
    F32 get(const float* from) const { return load_part(from, lanes); }
    F32 get(const float* from, F32 beyond) const { return load_part(from, lanes, beyond); }
    void put(float* to, F32 x) const { store_part(to, x, lanes); }
};

// body(vector, first element, slot): neighbours have different slots, 0 to 3, so that sums in slots do not
// wait for each other. The order depends on n alone.
template <class Body>
inline void each_row_vector(int64_t n, const Body& body) {
    constexpr int64_t width = F32::width;
    int64_t i = 0;
    for (; i + 4 * width <= n; i += 4 * width) {
        body(WholeVector{}, i, 0);
        body(WholeVector{}, i + width, 1);
        body(WholeVector{}, i + 2 * width, 2);
        body(WholeVector{}, i + 3 * width, 3);
    }
    // Slots are constants, or the totals would live in memory.
    if (i + width <= n) body(WholeVector{}, i, 0);
    if (i + 2 * width <= n) body(WholeVector{}, i + width, 1);
    if (i + 3 * width <= n) body(WholeVector{}, i + 2 * width, 2);
    i = n / width * width;
    if (i < n) body(PartOfVector{n - i}, i, 3);
}

struct RowTotals {
    F32 slots[4];
    explicit RowTotals(F32 start) : slots{start, start, start, start} {}
    float sum() const { return sum_lanes((slots[0] + slots[1]) + (slots[2] + slots[3])); }
    float largest() const { return max_lanes(max(max(slots[0], slots[1]), max(slots[2], slots[3]))); }
};

// A row of `count` vectors with `last` lanes in the last one: loops over it have no branches.
template <int count_>
struct ShortRow {
    static constexpr int count = count_;
    int64_t last;

    // body(vector, first element, index of the vector)
    template <class Body>
    inline void each(const Body& body) const {
#pragma GCC unroll 8
        for (int j = 0; j + 1 < count; ++j) body(WholeVector{}, j * F32::width, j);
        body(PartOfVector{last}, (count - 1) * F32::width, count - 1);
    }

    // Neighbours are joined first.
    template <class Join>
    static inline F32 join(F32* terms, const Join& two) {
#pragma GCC unroll 3
        for (int step = 1; step < count; step *= 2) {
#pragma GCC unroll 8
            for (int j = 0; j + step < count; j += 2 * step) terms[j] = two(terms[j], terms[j + step]);
        }
        return terms[0];
    }
};

struct JoinSum {
    F32 operator()(F32 a, F32 b) const { return a + b; }
};
struct JoinMax {
    F32 operator()(F32 a, F32 b) const { return max(a, b); }
};

// One value for each of up to as many rows as a vector has lanes.
struct RowValues {
    alignas(64) float at[F32::width];
    explicit RowValues(F32 values) { store(at, values); }
    F32 operator[](int64_t row) const { return broadcast(at + row); }
};

// Lane r: what the lanes of of_row(r) join to, for r < rows; the others count for nothing. The order in which
// a row's lanes are joined does not depend on r.
template <class Join, class OfRow>
inline F32 join_rows(int64_t rows, const Join& join, const OfRow& of_row) {
    F32 values[F32::width];
    for (int64_t r = 0; r < rows; ++r) values[r] = of_row(r);
    for (int64_t r = rows; r < F32::width; ++r) values[r] = F32(1.0);
    return join_lanes(values, join);
}

// body(first, count) for groups of as many rows as a vector has lanes
template <class Body>
inline void each_row_group(int64_t rows, const Body& body) {
    for (int64_t first = 0; first < rows; first += F32::width) {
        body(first, rows - first < F32::width ? rows - first : F32::width);
    }
}

// body(ShortRow) for up to eight vectors; false for longer rows.
template <class Body>
inline bool with_short_row(int64_t n, const Body& body) {
    constexpr int64_t width = F32::width;
    const int64_t count = (n + width - 1) / width, last = n - (count - 1) * width;
    switch (count) {
        case 1:
            return body(ShortRow<1>{last}), true;
        case 2:
            return body(ShortRow<2>{last}), true;
        case 3:
            return body(ShortRow<3>{last}), true;
        case 4:
            return body(ShortRow<4>{last}), true;
        case 5:
            return body(ShortRow<5>{last}), true;
        case 6:
            return body(ShortRow<6>{last}), true;
        case 7:
            return body(ShortRow<7>{last}), true;
        case 8:
            return body(ShortRow<8>{last}), true;
        default:
            return false;
    }
}
