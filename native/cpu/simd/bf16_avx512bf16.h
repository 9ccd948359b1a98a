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

// Round to nearest even, NaN stays a quiet NaN: the bits of to_bfloat16.
inline __m256i round_to_bf16(F32 x) {
    const __m512i bits = _mm512_castps_si512(x.v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
    const __m512i all = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x00400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(all, 16));
}
inline void store_rounded(BFloat16* to, F32 x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), round_to_bf16(x));
}
inline void store_rounded_part(BFloat16* to, F32 x, int64_t count) {
    _mm256_mask_storeu_epi16(to, first_lanes(count), round_to_bf16(x));
}
