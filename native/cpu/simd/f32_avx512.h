// Sixteen floats. Included inside an instruction-set namespace.

struct F32 {
    using Element = float;
    static constexpr int64_t width = 16;
    __m512 v;
    F32() = default;
    explicit F32(double value) : v(_mm512_set1_ps(static_cast<float>(value))) {}
};
struct I32 {
    __m512i v;
};
struct Mask {
    __mmask16 v;
};

inline F32 wrap(__m512 v) {
    F32 out;
    out.v = v;
    return out;
}

inline __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1u); }

inline F32 load(const float* from) { return wrap(_mm512_loadu_ps(from)); }
inline F32 load_part(const float* from, int64_t count) {
    return wrap(_mm512_maskz_loadu_ps(first_lanes(count), from));
}
// `beyond` in the lanes from `count` on.
inline F32 load_part(const float* from, int64_t count, F32 beyond) {
    return wrap(_mm512_mask_loadu_ps(beyond.v, first_lanes(count), from));
}
inline F32 broadcast(const float* from) { return wrap(_mm512_set1_ps(*from)); }
inline void store(float* to, F32 x) { _mm512_storeu_ps(to, x.v); }
inline void store_part(float* to, F32 x, int64_t count) {
    _mm512_mask_storeu_ps(to, first_lanes(count), x.v);
}

inline F32 operator+(F32 a, F32 b) { return wrap(_mm512_add_ps(a.v, b.v)); }
inline F32 operator-(F32 a, F32 b) { return wrap(_mm512_sub_ps(a.v, b.v)); }
inline F32 operator*(F32 a, F32 b) { return wrap(_mm512_mul_ps(a.v, b.v)); }
inline F32 operator/(F32 a, F32 b) { return wrap(_mm512_div_ps(a.v, b.v)); }
inline F32 operator-(F32 a) { return wrap(_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))); }
inline F32 fma(F32 a, F32 b, F32 c) { return wrap(_mm512_fmadd_ps(a.v, b.v, c.v)); }
inline F32 min(F32 a, F32 b) { return wrap(_mm512_min_ps(a.v, b.v)); }
inline F32 max(F32 a, F32 b) { return wrap(_mm512_max_ps(a.v, b.v)); }
inline F32 sqrt(F32 a) { return wrap(_mm512_sqrt_ps(a.v)); }
inline F32 abs(F32 a) { return wrap(_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)); }
inline F32 floor(F32 a) { return wrap(_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)); }
inline F32 ceil(F32 a) { return wrap(_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)); }
inline F32 trunc(F32 a) { return wrap(_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)); }
inline F32 round_even(F32 a) {
    return wrap(_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// x 2^n for integer-valued n, rounded once; NaN where x is.
inline F32 scale_by_power_of_two(F32 x, F32 n) { return wrap(_mm512_scalef_ps(x.v, n.v)); }

// The same where `mask` is set, else 0.
inline F32 scale_by_power_of_two(F32 x, F32 n, Mask mask) {
    return wrap(_mm512_maskz_scalef_ps(mask.v, x.v, n.v));
}

inline Mask less(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask less_equal(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
inline Mask equal(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
inline Mask is_nan(F32 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
inline Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
inline Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
inline Mask operator^(Mask a, Mask b) { return {static_cast<__mmask16>(a.v ^ b.v)}; }
inline Mask operator~(Mask a) { return {static_cast<__mmask16>(~a.v)}; }
inline F32 select(Mask mask, F32 yes, F32 no) { return wrap(_mm512_mask_blend_ps(mask.v, no.v, yes.v)); }
// Writes one byte, 0 or 1, per lane of the first `count`.
inline void store_mask(uint8_t* to, Mask mask, int64_t count) {
    const __m128i bytes = _mm_maskz_set1_epi8(mask.v, 1);
    _mm_mask_storeu_epi8(to, first_lanes(count), bytes);
}

inline I32 to_int(F32 a) { return {_mm512_cvtps_epi32(a.v)}; }
inline F32 to_float(I32 a) { return wrap(_mm512_cvtepi32_ps(a.v)); }
inline I32 bits_of(F32 a) { return {_mm512_castps_si512(a.v)}; }
inline F32 from_bits(I32 a) { return wrap(_mm512_castsi512_ps(a.v)); }
inline I32 int_constant(int32_t v) { return {_mm512_set1_epi32(v)}; }
inline I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline I32 operator-(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
inline I32 operator&(I32 a, I32 b) { return {_mm512_and_si512(a.v, b.v)}; }
inline I32 operator|(I32 a, I32 b) { return {_mm512_or_si512(a.v, b.v)}; }
inline Mask equal(I32 a, I32 b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
// The low byte of each of the first `count` lanes, and back.
inline void store_bytes(uint8_t* to, I32 x, int64_t count) {
    _mm512_mask_cvtepi32_storeu_epi8(to, first_lanes(count), x.v);
}
inline I32 load_bytes(const uint8_t* from, int64_t count) {
    return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(count), from))};
}
template <int count>
inline I32 shift_left(I32 a) {
    return {_mm512_slli_epi32(a.v, count)};
}
template <int count>
inline I32 shift_right(I32 a) {
    return {_mm512_srai_epi32(a.v, count)};
}

inline float sum_lanes(F32 a) { return _mm512_reduce_add_ps(a.v); }
inline float max_lanes(F32 a) { return _mm512_reduce_max_ps(a.v); }
inline float min_lanes(F32 a) { return _mm512_reduce_min_ps(a.v); }
