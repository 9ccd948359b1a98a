// rows[i] lane j <-> rows[j] lane i of a square of vectors. Included inside an instruction-set namespace.
//
// In steps of h = width / 2, ..., 1, rows i and i + h (i without bit h) exchange the lanes with bit h of the
// one for those without it of the other.

inline __m512i exchange_low_f32(int h) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __mmask16 moved = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(h));
    return _mm512_mask_add_epi32(lane, moved, lane, _mm512_set1_epi32(16 - h));
}

inline __m512i exchange_low_f64(int h) {
    const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __mmask8 moved = _mm512_test_epi64_mask(lane, _mm512_set1_epi64(h));
    return _mm512_mask_add_epi64(lane, moved, lane, _mm512_set1_epi64(8 - h));
}

inline void transpose_square(F32* rows) {
#pragma GCC unroll 4
    for (int h = 8; h > 0; h /= 2) {
        const __m512i low = exchange_low_f32(h), high = _mm512_add_epi32(low, _mm512_set1_epi32(h));
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) {
            if ((i & h) != 0) continue;
            const __m512 a = rows[i].v, b = rows[i + h].v;
            rows[i].v = _mm512_permutex2var_ps(a, low, b);
            rows[i + h].v = _mm512_permutex2var_ps(a, high, b);
        }
    }
}

inline void transpose_square(F64* rows) {
#pragma GCC unroll 3
    for (int h = 4; h > 0; h /= 2) {
        const __m512i low = exchange_low_f64(h), high = _mm512_add_epi64(low, _mm512_set1_epi64(h));
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
            if ((i & h) != 0) continue;
            const __m512d a = rows[i].v, b = rows[i + h].v;
            rows[i].v = _mm512_permutex2var_pd(a, low, b);
            rows[i + h].v = _mm512_permutex2var_pd(a, high, b);
        }
    }
}

// Lane i of the result: the lanes of rows[i], joined in halves; a square is turned on the way. rows are lost.
template <class Join>
inline F32 join_lanes(F32* rows, const Join& join) {
#pragma GCC unroll 4
    for (int h = 8; h > 0; h /= 2) {
        const __m512i low = exchange_low_f32(h), high = _mm512_add_epi32(low, _mm512_set1_epi32(h));
#pragma GCC unroll 8
        for (int i = 0; i < h; ++i) {
            const __m512 a = rows[i].v, b = rows[i + h].v;
            rows[i] = join(wrap(_mm512_permutex2var_ps(a, low, b)), wrap(_mm512_permutex2var_ps(a, high, b)));
        }
    }
    return rows[0];
}
