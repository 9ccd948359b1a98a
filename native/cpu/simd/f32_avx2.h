// Eight floats. Included inside an instruction-set namespace.

struct F32 {
    using Element = float;
    static constexpr int64_t width = 8;
    __m256 v;
    F32() = default;
    explicit F32(double value) : v(_mm256_set1_ps(static_cast<float>(value))) {}
};
struct I32 {
    __m256i v;
};
struct Mask {
    __m256 v;
};

inline F32 wrap(__m256 v) {
    F32 out;
    out.v = v;
    return out;
}

inline __m256i first_lanes(int64_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

inline F32 load(const float* from) { return wrap(_mm256_loadu_ps(from)); }
inline F32 load_part(const float* from, int64_t count) {
    return wrap(_mm256_maskload_ps(from, first_lanes(count)));
}
// `beyond` in the lanes from `count` on.
inline F32 load_part(const float* from, int64_t count, F32 beyond) {
    const __m256i mask = first_lanes(count);
    return wrap(_mm256_blendv_ps(beyond.v, _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask)));
}
inline F32 broadcast(const float* from) { return wrap(_mm256_broadcast_ss(from)); }
inline void store(float* to, F32 x) { _mm256_storeu_ps(to, x.v); }
inline void store_part(float* to, F32 x, int64_t count) { _mm256_maskstore_ps(to, first_lanes(count), x.v); }

inline F32 operator+(F32 a, F32 b) { return wrap(_mm256_add_ps(a.v, b.v)); }
inline F32 operator-(F32 a, F32 b) { return wrap(_mm256_sub_ps(a.v, b.v)); }
inline F32 operator*(F32 a, F32 b) { return wrap(_mm256_mul_ps(a.v, b.v)); }
inline F32 operator/(F32 a, F32 b) { return wrap(_mm256_div_ps(a.v, b.v)); }
inline F32 operator-(F32 a) { return wrap(_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))); }
inline F32 fma(F32 a, F32 b, F32 c) { return wrap(_mm256_fmadd_ps(a.v, b.v, c.v)); }
inline F32 min(F32 a, F32 b) { return wrap(_mm256_min_ps(a.v, b.v)); }
inline F32 max(F32 a, F32 b) { return wrap(_mm256_max_ps(a.v, b.v)); }
inline F32 sqrt(F32 a) { return wrap(_mm256_sqrt_ps(a.v)); }
inline F32 abs(F32 a) { return wrap(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)); }
inline F32 floor(F32 a) { return wrap(_mm256_floor_ps(a.v)); }
inline F32 ceil(F32 a) { return wrap(_mm256_ceil_ps(a.v)); }
inline F32 trunc(F32 a) { return wrap(_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)); }
inline F32 round_even(F32 a) {
    return wrap(_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

inline Mask less(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask less_equal(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
inline Mask equal(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
inline Mask is_nan(F32 a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
inline Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
inline Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
inline Mask operator^(Mask a, Mask b) { return {_mm256_xor_ps(a.v, b.v)}; }
inline Mask operator~(Mask a) { return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
inline F32 select(Mask mask, F32 yes, F32 no) { return wrap(_mm256_blendv_ps(no.v, yes.v, mask.v)); }
// Writes one byte, 0 or 1, per lane of the first `count`.
inline void store_mask(uint8_t* to, Mask mask, int64_t count) {
    const int bits = _mm256_movemask_ps(mask.v);
    for (int64_t lane = 0; lane < count; ++lane) to[lane] = static_cast<uint8_t>((bits >> lane) & 1);
}

inline I32 to_int(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }
inline F32 to_float(I32 a) { return wrap(_mm256_cvtepi32_ps(a.v)); }
inline I32 bits_of(F32 a) { return {_mm256_castps_si256(a.v)}; }
inline F32 from_bits(I32 a) { return wrap(_mm256_castsi256_ps(a.v)); }
inline I32 int_constant(int32_t v) { return {_mm256_set1_epi32(v)}; }
inline I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
inline I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
inline I32 operator&(I32 a, I32 b) { return {_mm256_and_si256(a.v, b.v)}; }
inline I32 operator|(I32 a, I32 b) { return {_mm256_or_si256(a.v, b.v)}; }
inline Mask equal(I32 a, I32 b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }
// The low byte of each of the first `count` lanes, and back.
inline void store_bytes(uint8_t* to, I32 x, int64_t count) {
    const __m256i bytes = _mm256_shuffle_epi8(
        x.v, _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1,
                              -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    uint32_t halves[2] = {static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0)),
                          static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4))};
    __builtin_memcpy(to, halves, static_cast<size_t>(count));
}
inline I32 load_bytes(const uint8_t* from, int64_t count) {
    uint64_t bytes = 0;
    __builtin_memcpy(&bytes, from, static_cast<size_t>(count));
    return {_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(bytes)))};
}
template <int count>
inline I32 shift_left(I32 a) {
    return {_mm256_slli_epi32(a.v, count)};
}
template <int count>
inline I32 shift_right(I32 a) {
    return {_mm256_srai_epi32(a.v, count)};
}

template <class Combine>
inline float combine_lanes(F32 a, Combine combine) {
    __m128 x = combine(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    x = combine(x, _mm_movehl_ps(x, x));
    x = combine(x, _mm_shuffle_ps(x, x, 1));
    return _mm_cvtss_f32(x);
}
inline float sum_lanes(F32 a) {
    return combine_lanes(a, [](__m128 x, __m128 y) { return _mm_add_ps(x, y); });
}
inline float max_lanes(F32 a) {
    return combine_lanes(a, [](__m128 x, __m128 y) { return _mm_max_ps(x, y); });
}
inline float min_lanes(F32 a) {
    return combine_lanes(a, [](__m128 x, __m128 y) { return _mm_min_ps(x, y); });
}
