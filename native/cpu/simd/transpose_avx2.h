// rows[i] lane j <-> rows[j] lane i of a square of vectors. Included inside an instruction-set namespace.

inline void transpose_square(F32* rows) {
    __m256 pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int j = 0; j < 2; ++j) {
            quads[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
            quads[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
        }
    }
    for (int i = 0; i < 4; ++i) {
        rows[i].v = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
        rows[i + 4].v = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
    }
}

inline void transpose_square(F64* rows) {
    __m256d pairs[4];
    for (int i = 0; i < 4; i += 2) {
        pairs[i] = _mm256_unpacklo_pd(rows[i].v, rows[i + 1].v);
        pairs[i + 1] = _mm256_unpackhi_pd(rows[i].v, rows[i + 1].v);
    }
    for (int i = 0; i < 2; ++i) {
        rows[i].v = _mm256_permute2f128_pd(pairs[i], pairs[i + 2], 0x20);
        rows[i + 2].v = _mm256_permute2f128_pd(pairs[i], pairs[i + 2], 0x31);
    }
}

// Lane i of the result: the lanes of rows[i], joined in halves; a square is turned on the way. rows are lost.
template <class Join>
inline F32 join_lanes(F32* rows, const Join& join) {
    for (int i = 0; i < 4; ++i) {
        const __m256 a = rows[i].v, b = rows[i + 4].v;
        rows[i] = join(wrap(_mm256_permute2f128_ps(a, b, 0x20)), wrap(_mm256_permute2f128_ps(a, b, 0x31)));
    }
    for (int i = 0; i < 2; ++i) {
        const __m256 a = rows[i].v, b = rows[i + 2].v;
        rows[i] = join(wrap(_mm256_shuffle_ps(a, b, 0x44)), wrap(_mm256_shuffle_ps(a, b, 0xee)));
    }
    const __m256 a = rows[0].v, b = rows[1].v;
    const F32 pairs = join(wrap(_mm256_shuffle_ps(a, b, 0x88)), wrap(_mm256_shuffle_ps(a, b, 0xdd)));
    return wrap(_mm256_permute_ps(pairs.v, 0xd8));
}
