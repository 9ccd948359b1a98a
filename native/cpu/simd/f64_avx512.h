// Eight doubles. Included inside an instruction-set namespace, after f32_avx512.h.

struct F64 {
    using Element = double;
    static constexpr int64_t width = 8;
    __m512d v;
    F64() = default;
    explicit F64(double value) : v(_mm512_set1_pd(value)) {}
};

inline F64 wrap(__m512d v) {
    F64 out;
    out.v = v;
    return out;
}

inline F64 load(const double* from) { return wrap(_mm512_loadu_pd(from)); }
inline F64 load_part(const double* from, int64_t count) {
    return wrap(_mm512_maskz_loadu_pd(static_cast<__mmask8>(first_lanes(count)), from));
}
inline F64 broadcast(const double* from) { return wrap(_mm512_set1_pd(*from)); }
inline void store(double* to, F64 x) { _mm512_storeu_pd(to, x.v); }
inline void store_part(double* to, F64 x, int64_t count) {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>(first_lanes(count)), x.v);
}
inline F64 operator+(F64 a, F64 b) { return wrap(_mm512_add_pd(a.v, b.v)); }
inline F64 operator*(F64 a, F64 b) { return wrap(_mm512_mul_pd(a.v, b.v)); }
inline F64 fma(F64 a, F64 b, F64 c) { return wrap(_mm512_fmadd_pd(a.v, b.v, c.v)); }

// to[j] += x[j] for the first `count` lanes.
inline void add_wide(double* to, F32 x, int64_t count) {
    const __mmask16 mask = first_lanes(count);
    const __mmask8 low = static_cast<__mmask8>(mask), high = static_cast<__mmask8>(mask >> 8);
    const __m512d first = _mm512_cvtps_pd(_mm512_castps512_ps256(x.v));
    const __m512d second = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1));
    _mm512_mask_storeu_pd(to, low, _mm512_add_pd(_mm512_maskz_loadu_pd(low, to), first));
    _mm512_mask_storeu_pd(to + 8, high, _mm512_add_pd(_mm512_maskz_loadu_pd(high, to + 8), second));
}
