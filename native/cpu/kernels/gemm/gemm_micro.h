// Micro-kernel template: `rows` rows by `vectors` vectors of columns, accumulators in registers. Included
// inside an instruction-set namespace.

template <class V, int vectors, int rows>
void gemm_micro(int64_t k, const typename V::Element* a, int64_t a_row, int64_t a_step,
                const typename V::Element* b, int64_t b_step, typename V::Element* c, int64_t c_row,
                int64_t last_lanes, bool accumulate) {
    constexpr int64_t width = V::width;
    constexpr int last = vectors - 1, groups = (rows + 2) / 3;
    V total[rows][vectors];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < vectors; ++j) total[i][j] = V(0.0);
    }
    // One pointer for three rows: base, base + row and base + 2 row are addressing modes.
    const typename V::Element* group[groups];
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) group[g] = a + 3 * g * a_row;

    for (int64_t p = 0; p < k; ++p, b += b_step) {
        V line[vectors];
        for (int j = 0; j < last; ++j) line[j] = load(b + j * width);
        line[last] = load_part(b + last * width, last_lanes);
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const V x = broadcast(group[i / 3] + i % 3 * a_row);
            for (int j = 0; j < vectors; ++j) total[i][j] = fma(x, line[j], total[i][j]);
        }
#pragma GCC unroll 8
        for (int g = 0; g < groups; ++g) group[g] += a_step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        auto* to = c + i * c_row;
        for (int j = 0; j < last; ++j) {
            store(to + j * width, accumulate ? load(to + j * width) + total[i][j] : total[i][j]);
        }
        const V end = total[i][last];
        store_part(to + last * width, accumulate ? load_part(to + last * width, last_lanes) + end : end,
                   last_lanes);
    }
}

// from [rows, columns] at (from_row, 1) -> to [columns, rows] at (to_row, 1), in squares of vectors
template <class V>
void gemm_transpose(const typename V::Element* from, int64_t from_row, int64_t rows, int64_t columns,
                    typename V::Element* to, int64_t to_row) {
    constexpr int64_t width = V::width, ahead = 256 / static_cast<int64_t>(sizeof(typename V::Element));
    for (int64_t i = 0; i < rows; i += width) {
        const int64_t height = rows - i < width ? rows - i : width;
        for (int64_t j = 0; j < columns; j += width) {
            const int64_t breadth = columns - j < width ? columns - j : width;
            const auto* source = from + i * from_row + j;
            auto* target = to + j * to_row + i;
            V square[width];
            if (height == width && breadth == width) {
#pragma GCC unroll 16
                for (int64_t r = 0; r < width; ++r) square[r] = load(source + r * from_row);
                for (int64_t r = 0; r < width; ++r) __builtin_prefetch(source + r * from_row + ahead, 0, 2);
                transpose_square(square);
#pragma GCC unroll 16
                for (int64_t r = 0; r < width; ++r) store(target + r * to_row, square[r]);
                continue;
            }
            for (int64_t r = 0; r < height; ++r) __builtin_prefetch(source + r * from_row + ahead, 0, 2);
            for (int64_t r = 0; r < width; ++r) {
                square[r] = r < height ? load_part(source + r * from_row, breadth) : V(0.0);
            }
            transpose_square(square);
            for (int64_t r = 0; r < breadth; ++r) store_part(target + r * to_row, square[r], height);
        }
    }
}

// x [k, lanes] at (k_stride, 1) -> to [k, lanes]
template <class V>
void gemm_pack_lanes(const typename V::Element* x, int64_t k_stride, int64_t lanes, int64_t k, int64_t ahead,
                     typename V::Element* to) {
    constexpr int64_t width = V::width, line = 64 / static_cast<int64_t>(sizeof(typename V::Element));
    const int64_t whole = lanes / width * width;
    for (int64_t p = 0; p < k; ++p, x += k_stride, to += lanes) {
        // The processor itself does not foresee lines a page apart.
        for (int64_t i = 0; i < lanes; i += line) __builtin_prefetch(x + ahead * k_stride + i, 0, 2);
        for (int64_t i = 0; i < whole; i += width) store(to + i, load(x + i));
        if (whole < lanes) store_part(to + whole, load_part(x + whole, lanes - whole), lanes - whole);
    }
}

template <class V, int vectors, int rows, class Kernels>
void fill_tiles(Kernels& kernels) {
    kernels.micro[vectors][rows] = &gemm_micro<V, vectors, rows>;
    if constexpr (rows > 1) {
        fill_tiles<V, vectors, rows - 1>(kernels);
    } else {
        (void)kernels;
    }
}

// Registers decide the tiles: rows1 is the largest number of rows for one vector of columns, and so on.
template <class V, int rows1, int rows2, int rows3, int rows4, class Kernels>
void fill_gemm(Kernels& kernels) {
    kernels.width = V::width;
    kernels.tile_rows[1] = rows1;
    kernels.tile_rows[2] = rows2;
    kernels.tile_rows[3] = rows3;
    kernels.tile_rows[4] = rows4;
    // Few rows of C, since the lines of more than eight share a set of the first-level cache where they lie a
    // page apart; as wide as that leaves enough sums to hide a multiply-add's latency.
    kernels.blocked_vectors = rows4 >= 6 ? 4 : 2;
    fill_tiles<V, 1, rows1>(kernels);
    fill_tiles<V, 2, rows2>(kernels);
    fill_tiles<V, 3, rows3>(kernels);
    fill_tiles<V, 4, rows4>(kernels);
    kernels.transpose = &gemm_transpose<V>;
    kernels.pack_lanes = &gemm_pack_lanes<V>;
}
