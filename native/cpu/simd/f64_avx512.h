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
