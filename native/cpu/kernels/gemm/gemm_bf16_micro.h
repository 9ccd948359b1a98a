// Micro-kernel template of bfloat16 products and the packing of their operands. Included inside an
// instruction-set namespace.

template <int vectors, int rows>
void gemm_bf16_micro(int64_t steps, const BFloat16* a, int64_t a_row, int64_t a_step, const BFloat16* b,
                     const GemmBf16Target& target, int64_t last_lanes) {
    constexpr int64_t width = F32::width, b_step = 2 * vectors * width;
    constexpr int last = vectors - 1, groups = (rows + 2) / 3;
    F32 total[rows][vectors];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < vectors; ++j) total[i][j] = F32(0.0);
    }
    // One pointer for three rows: base, base + row and base + 2 row are addressing modes.
    const BFloat16* group[groups];
#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) group[g] = a + 3 * g * a_row;
    // What is read and written at the end comes from memory meanwhile.
    if (target.start_row != 0) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            for (int j = 0; j < vectors; ++j)
                __builtin_prefetch(target.start + i * target.start_row + j * width, 1);
        }
    }

    for (int64_t p = 0; p < steps; ++p, b += b_step) {
        Bf16Pairs line[vectors];
        for (int j = 0; j < vectors; ++j) line[j] = load_pairs(b + 2 * j * width);
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const Bf16Pairs x = broadcast_pair(group[i / 3] + i % 3 * a_row);
            for (int j = 0; j < vectors; ++j) total[i][j] = add_products(total[i][j], line[j], x);
        }
#pragma GCC unroll 8
        for (int g = 0; g < groups; ++g) group[g] += a_step;
    }
    if (target.start != nullptr) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const float* from = target.start + i * target.start_row;
            for (int j = 0; j < last; ++j) total[i][j] = load(from + j * width) + total[i][j];
            total[i][last] = load_part(from + last * width, last_lanes) + total[i][last];
        }
    }
    if (target.rounded != nullptr) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            store_rounded_row<vectors>(target.rounded + i * target.row, total[i],
                                       (vectors - 1) * width + last_lanes);
        }
        return;
    }
    if (target.rounds_sums) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            for (int j = 0; j < vectors; ++j) total[i][j] = rounded_to_bf16(total[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
        float* to = target.sums + i * target.row;
        for (int j = 0; j < last; ++j) store(to + j * width, total[i][j]);
        store_part(to + last * width, total[i][last], last_lanes);
    }
}

// x [lanes, k] at (lane_stride, 1) -> to [k / 2 rounded up, lanes, 2]: squares of pairs, turned
void pack_turned_pairs(const BFloat16* x, int64_t lane_stride, int64_t lanes, int64_t k, BFloat16* to,
                       int64_t to_lanes) {
    constexpr int64_t width = F32::width;
    const int64_t pairs = k / 2;
    for (int64_t i = 0; i < lanes; i += width) {
        const int64_t height = lanes - i < width ? lanes - i : width;
        const BFloat16* from = x + i * lane_stride;
        BFloat16* panel = to + 2 * i;
        for (int64_t p = 0; p < pairs; p += width) {
            const int64_t breadth = pairs - p < width ? pairs - p : width;
            const __mmask16 inside = first_lanes(breadth);
            F32 square[width];
#pragma GCC unroll 16
            for (int64_t r = 0; r < width; ++r) {
                square[r] = r < height ? wrap(_mm512_maskz_loadu_ps(inside, from + r * lane_stride + 2 * p))
                                       : F32(0.0);
            }
            transpose_square(square);
            if (height == width && breadth == width) {
#pragma GCC unroll 16
                for (int64_t r = 0; r < width; ++r)
                    _mm512_storeu_ps(panel + (p + r) * 2 * to_lanes, square[r].v);
                continue;
            }
            for (int64_t r = 0; r < breadth; ++r)
                _mm512_mask_storeu_ps(panel + (p + r) * 2 * to_lanes, first_lanes(height), square[r].v);
        }
        for (int64_t r = 0; k % 2 != 0 && r < height; ++r) {
            panel[pairs * 2 * to_lanes + 2 * r] = from[r * lane_stride + k - 1];
            panel[pairs * 2 * to_lanes + 2 * r + 1] = {0};
        }
    }
}

// Two rows of `lanes` (the second may be null: zeros) -> to [lanes, 2]
inline void interleave_rows(const BFloat16* first, const BFloat16* second, int64_t lanes, BFloat16* to) {
    constexpr int64_t width = 32;
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7,
                                         38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    int64_t i = 0;
    for (; i + width <= lanes; i += width) {
        const __m512i a = _mm512_loadu_si512(first + i);
        const __m512i b = second == nullptr ? _mm512_setzero_si512() : _mm512_loadu_si512(second + i);
        _mm512_storeu_si512(to + 2 * i, _mm512_permutex2var_epi16(a, low, b));
        _mm512_storeu_si512(to + 2 * i + width, _mm512_permutex2var_epi16(a, high, b));
    }
    if (i == lanes) return;
    const __mmask32 inside = (__mmask32{1} << (lanes - i)) - 1;
    const __m512i a = _mm512_maskz_loadu_epi16(inside, first + i);
    const __m512i b =
        second == nullptr ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi16(inside, second + i);
    _mm512_mask_storeu_epi32(to + 2 * i, static_cast<__mmask16>(inside),
                             _mm512_permutex2var_epi16(a, low, b));
    _mm512_mask_storeu_epi32(to + 2 * i + width, static_cast<__mmask16>(inside >> 16),
                             _mm512_permutex2var_epi16(a, high, b));
}

// x [lanes, k] at (lane_stride, k_stride) -> to [k / 2 rounded up, lanes, 2] at (2 * to_lanes, 2, 1)
void gemm_pack_pairs(const BFloat16* x, int64_t lane_stride, int64_t k_stride, int64_t lanes, int64_t k,
                     BFloat16* to, int64_t to_lanes) {
    constexpr int64_t ahead = 24;
    const bool turns = k_stride == 1 && (lane_stride != 1 || k > lanes);
    if (turns) return pack_turned_pairs(x, lane_stride, lanes, k, to, to_lanes);
    for (int64_t p = 0; p < k; p += 2, x += 2 * k_stride, to += 2 * to_lanes) {
        const BFloat16* second = p + 1 < k ? x + k_stride : nullptr;
        // The processor itself does not foresee lines a page apart.
        for (int64_t row = ahead; row < ahead + 2; ++row) {
            for (int64_t i = 0; i < lanes; i += 32) __builtin_prefetch(x + row * k_stride + i, 0, 2);
        }
        if (lane_stride == 1) {
            interleave_rows(x, second, lanes, to);
            continue;
        }
        for (int64_t i = 0; i < lanes; ++i) {
            to[2 * i] = x[i * lane_stride];
            to[2 * i + 1] = second == nullptr ? BFloat16{0} : second[i * lane_stride];
        }
    }
}

template <int vectors, int rows>
void fill_bf16_tiles(GemmBf16Kernels& kernels) {
    kernels.micro[vectors][rows] = &gemm_bf16_micro<vectors, rows>;
    if constexpr (rows > 1) fill_bf16_tiles<vectors, rows - 1>(kernels);
}
