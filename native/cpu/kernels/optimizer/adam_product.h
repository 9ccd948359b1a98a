// A product whose elements are gradients, and Adam's step with them: while the sums of one tile run, the
// elements of the tile before go through the update, a vector every few products. Included inside an
// instruction-set namespace, behind optimizer_loops.h.

constexpr int adam_tile_rows = 5, adam_tile_vectors = 4;

// A tile whose update is still to come: gradient [rows, vectors], the rest at row_stride.
struct PendingTile {
    const float* gradient;
    float *p, *m, *v;
    int64_t rows, vectors, last_lanes, row_stride;
    int64_t row, vector;  // the next one

    bool is_done() const { return row == rows; }
};

// In line: a call would bring the sums of the running tile to memory and back.
__attribute__((always_inline)) inline void update_next(const AdamLanes& lanes, PendingTile& tile) {
    const int64_t at = tile.row * tile.row_stride + tile.vector * F32::width;
    const float* gradient = tile.gradient + (tile.row * tile.vectors + tile.vector) * F32::width;
    const int64_t n = tile.vector + 1 == tile.vectors ? tile.last_lanes : F32::width;
    if (n == F32::width) {
        adam_vector<false>(
            lanes, tile.p + at, gradient, tile.m + at, tile.v + at, nullptr,
            [](const float* from) { return load(from); }, [](float* to, F32 x) { store(to, x); });
    } else {
        adam_vector<false>(
            lanes, tile.p + at, gradient, tile.m + at, tile.v + at, nullptr,
            [n](const float* from) { return load_part(from, n); },
            [n](float* to, F32 x) { store_part(to, x, n); });
    }
    if (++tile.vector == tile.vectors) tile.vector = 0, ++tile.row;
}

struct ProductFactors {
    int64_t k;
    const float* a;  // [k, rows] at (a_step, 1)
    int64_t a_step;
    const float* b;  // [k, columns] at (b_step, 1)
    int64_t b_step;
};

template <int vectors, int rows>
void adam_tile(const ProductFactors& f, int64_t last_lanes, float* gradient, const AdamLanes& lanes,
               PendingTile& pending) {
    F32 total[rows][vectors];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < vectors; ++j) total[i][j] = F32(0.0);
    }
    const float *a = f.a, *b = f.b;
    const int64_t updates = pending.rows * pending.vectors;
    const int64_t between = updates == 0 ? f.k : f.k / updates > 1 ? f.k / updates : 1;
    for (int64_t p = 0; p < f.k;) {
        const int64_t end = p + between < f.k ? p + between : f.k;
        for (; p < end; ++p, a += f.a_step, b += f.b_step) {
            F32 line[vectors];
            for (int j = 0; j + 1 < vectors; ++j) line[j] = load(b + j * F32::width);
            line[vectors - 1] = load_part(b + (vectors - 1) * F32::width, last_lanes);
#pragma GCC unroll 16
            for (int i = 0; i < rows; ++i) {
                const F32 x = broadcast(a + i);
                for (int j = 0; j < vectors; ++j) total[i][j] = fma(x, line[j], total[i][j]);
            }
        }
        if (!pending.is_done()) update_next(lanes, pending);
    }
    while (!pending.is_done()) update_next(lanes, pending);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < vectors; ++j) store(gradient + (i * vectors + j) * F32::width, total[i][j]);
    }
}

using AdamTile = void (*)(const ProductFactors&, int64_t, float*, const AdamLanes&, PendingTile&);

template <int vectors>
AdamTile adam_tile_of(int64_t rows) {
    static_assert(adam_tile_rows == 5, "one tile for each number of rows");
    switch (rows) {
        case 5:
            return &adam_tile<vectors, 5>;
        case 4:
            return &adam_tile<vectors, 4>;
        case 3:
            return &adam_tile<vectors, 3>;
        case 2:
            return &adam_tile<vectors, 2>;
        default:
            return &adam_tile<vectors, 1>;
    }
}

inline AdamTile adam_tile_of(int64_t vectors, int64_t rows) {
    static_assert(adam_tile_vectors == 4, "one tile for each number of vectors");
    switch (vectors) {
        case 4:
            return adam_tile_of<4>(rows);
        case 3:
            return adam_tile_of<3>(rows);
        case 2:
            return adam_tile_of<2>(rows);
        default:
            return adam_tile_of<1>(rows);
    }
}

void adam_product_f32(const AdamStep& step, int64_t k, const float* a, int64_t a_step, const float* b,
                      int64_t b_step, int64_t rows, int64_t columns, float* p, float* m, float* v,
                      int64_t row_stride) {
    constexpr int64_t width = F32::width, tile_columns = adam_tile_vectors * width;
    const AdamLanes lanes(step);
    alignas(64) float gradients[2][adam_tile_rows * tile_columns];
    PendingTile pending{};
    const int64_t tiles = (rows + adam_tile_rows - 1) / adam_tile_rows;
    int turn = 0;
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t first = rows * tile / tiles, count = rows * (tile + 1) / tiles - first;
        for (int64_t j = 0; j < columns; j += tile_columns, turn ^= 1) {
            const int64_t breadth = columns - j < tile_columns ? columns - j : tile_columns;
            const int64_t vectors = (breadth + width - 1) / width, last = breadth - (vectors - 1) * width;
            const int64_t at = first * row_stride + j;
            adam_tile_of(vectors, count)({k, a + first, a_step, b + j, b_step}, last, gradients[turn], lanes,
                                         pending);
            pending = {gradients[turn], p + at, m + at, v + at, count, vectors, last, row_stride, 0, 0};
        }
    }
    while (!pending.is_done()) update_next(lanes, pending);
}
