// Four doubles. Included inside an instruction-set namespace, after f32_avx2.h.

struct F64 {
    using Element = double;
    static constexpr int64_t width = 4;
    __m256d v;
    F64() = default;
    explicit F64(double value) : v(_mm256_set1_pd(value)) {}
};

inline F64 wrap(__m256d v) {
    F64 out;
    out.v = v;
    return out;
}

inline __m256i first_double_lanes(int64_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}

inline F64 load(const double* from) { return wrap(_mm256_loadu_pd(from)); }
inline F64 load_part(const double* from, int64_t count) {
    return wrap(_mm256_maskload_pd(from, first_double_lanes(count)));
}
inline F64 broadcast(const double* from) { return wrap(_mm256_broadcast_sd(from)); }
inline void store(double* to, F64 x) { _mm256_storeu_pd(to, x.v); }
inline void store_part(double* to, F64 x, int64_t count) {
    _mm256_maskstore_pd(to, first_double_lanes(count), x.v);
}
inline F64 operator+(F64 a, F64 b) { return wrap(_mm256_add_pd(a.v, b.v)); }
inline F64 operator*(F64 a, F64 b) { return wrap(_mm256_mul_pd(a.v, b.v)); }
inline F64 fma(F64 a, F64 b, F64 c) { return wrap(_mm256_fmadd_pd(a.v, b.v, c.v)); }

// to[j] += x[j] for the first `count` lanes.
inline void add_wide(double* to, F32 x, int64_t count) {
    const __m256i low = first_double_lanes(count), high = first_double_lanes(count - 4);
    const __m256d first = _mm256_cvtps_pd(_mm256_castps256_ps128(x.v));
    const __m256d second = _mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1));
    _mm256_maskstore_pd(to, low, _mm256_add_pd(_mm256_maskload_pd(to, low), first));
    _mm256_maskstore_pd(to + 4, high, _mm256_add_pd(_mm256_maskload_pd(to + 4, high), second));
}
