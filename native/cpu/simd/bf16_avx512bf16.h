// Pairs of bfloat16 in lanes of 32 bits. Included inside an instruction-set namespace, after f32_avx512.h.

struct Bf16Pairs {
    __m512i v;
};

inline Bf16Pairs load_pairs(const BFloat16* from) { return {_mm512_loadu_si512(from)}; }
inline Bf16Pairs broadcast_pair(const BFloat16* from) {
    int32_t pair;
    memcpy(&pair, from, sizeof pair);
    return {_mm512_set1_epi32(pair)};
}
// The first element of a pair, and zero.
inline Bf16Pairs broadcast_single(const BFloat16* from) { return {_mm512_set1_epi32(from->bits)}; }

// total + a.first b.first + a.second b.second in each lane; subnormal operands and results count as zero
inline F32 add_products(F32 total, Bf16Pairs a, Bf16Pairs b) {
    return wrap(_mm512_dpbf16_ps(total.v, (__m512bh)a.v, (__m512bh)b.v));
}

// vcvtneps2bf16: round to nearest even, NaN stays a quiet NaN, and subnormal numbers become zero.
inline F32 rounded_to_bf16(F32 x) {
    const __m512i bits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x.v));
    return wrap(_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)));
}
inline void store_rounded(BFloat16* to, F32 x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x.v));
}
inline void store_rounded(BFloat16* to, F32 x, F32 next) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(next.v, x.v));
}
inline void store_rounded_part(BFloat16* to, F32 x, int64_t count) {
    _mm256_mask_storeu_epi16(to, first_lanes(count), (__m256i)_mm512_cvtneps_pbh(x.v));
}

// The sums of `vectors` vectors to the first `columns` places: pairs of whole vectors, then the rest.
template <int vectors>
inline void store_rounded_row(BFloat16* to, const F32* sums, int64_t columns) {
    constexpr int64_t width = F32::width;
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j, columns -= width) {
        if (j + 1 < vectors && j % 2 == 0 && columns >= 2 * width) {
            store_rounded(to + j * width, sums[j], sums[j + 1]);
        } else if (j % 2 == 1 && columns >= width) {
            continue;
        } else if (columns >= width) {
            store_rounded(to + j * width, sums[j]);
        } else if (columns > 0) {
            store_rounded_part(to + j * width, sums[j], columns);
        }
    }
}
