// One float per "vector": the reference instruction set, and the only one outside x86-64.
// Included inside an instruction-set namespace. min and max return the second operand when either is NaN, as
// x86 does.

struct F32 {
    using Element = float;
    static constexpr int64_t width = 1;
    float v;
    F32() = default;
    explicit F32(double value) : v(static_cast<float>(value)) {}
};
struct I32 {
    int32_t v;
};
struct Mask {
    bool v;
};

inline F32 wrap(float v) {
    F32 out;
    out.v = v;
    return out;
}

inline F32 load(const float* from) { return wrap(*from); }
inline F32 load_part(const float* from, int64_t) { return wrap(*from); }
inline F32 load_part(const float* from, int64_t, F32) { return wrap(*from); }
inline F32 broadcast(const float* from) { return wrap(*from); }
inline void store(float* to, F32 x) { *to = x.v; }
inline void store_part(float* to, F32 x, int64_t) { *to = x.v; }

inline F32 operator+(F32 a, F32 b) { return wrap(a.v + b.v); }
inline F32 operator-(F32 a, F32 b) { return wrap(a.v - b.v); }
inline F32 operator*(F32 a, F32 b) { return wrap(a.v * b.v); }
inline F32 operator/(F32 a, F32 b) { return wrap(a.v / b.v); }
inline F32 operator-(F32 a) { return wrap(-a.v); }
// No fused unit is assumed: two roundings.
inline F32 fma(F32 a, F32 b, F32 c) { return wrap(a.v * b.v + c.v); }
inline F32 min(F32 a, F32 b) { return a.v < b.v ? a : b; }
inline F32 max(F32 a, F32 b) { return a.v > b.v ? a : b; }
inline F32 sqrt(F32 a) { return wrap(::sqrtf(a.v)); }
inline F32 abs(F32 a) { return wrap(::fabsf(a.v)); }
inline F32 floor(F32 a) { return wrap(::floorf(a.v)); }
inline F32 ceil(F32 a) { return wrap(::ceilf(a.v)); }
inline F32 trunc(F32 a) { return wrap(::truncf(a.v)); }
inline F32 round_even(F32 a) { return wrap(::rintf(a.v)); }

inline Mask less(F32 a, F32 b) { return {a.v < b.v}; }
inline Mask less_equal(F32 a, F32 b) { return {a.v <= b.v}; }
inline Mask equal(F32 a, F32 b) { return {a.v == b.v}; }
inline Mask is_nan(F32 a) { return {a.v != a.v}; }
inline Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
inline Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
inline Mask operator^(Mask a, Mask b) { return {a.v != b.v}; }
inline Mask operator~(Mask a) { return {!a.v}; }
inline F32 select(Mask mask, F32 yes, F32 no) { return mask.v ? yes : no; }
// Writes one byte, 0 or 1, per lane.
inline void store_mask(uint8_t* to, Mask mask, int64_t) { *to = mask.v ? 1 : 0; }

inline I32 to_int(F32 a) { return {static_cast<int32_t>(::rintf(a.v))}; }
inline F32 to_float(I32 a) { return wrap(static_cast<float>(a.v)); }
inline I32 bits_of(F32 a) {
    I32 out;
    __builtin_memcpy(&out.v, &a.v, 4);
    return out;
}
inline F32 from_bits(I32 a) {
    F32 out;
    __builtin_memcpy(&out.v, &a.v, 4);
    return out;
}
inline I32 int_constant(int32_t v) { return {v}; }
inline I32 operator+(I32 a, I32 b) {
    return {static_cast<int32_t>(static_cast<uint32_t>(a.v) + static_cast<uint32_t>(b.v))};
}
inline I32 operator-(I32 a, I32 b) {
    return {static_cast<int32_t>(static_cast<uint32_t>(a.v) - static_cast<uint32_t>(b.v))};
}
inline I32 operator&(I32 a, I32 b) { return {a.v & b.v}; }
inline I32 operator|(I32 a, I32 b) { return {a.v | b.v}; }
inline Mask equal(I32 a, I32 b) { return {a.v == b.v}; }
// The low byte of each lane, and back.
inline void store_bytes(uint8_t* to, I32 x, int64_t) { *to = static_cast<uint8_t>(x.v); }
inline I32 load_bytes(const uint8_t* from, int64_t) { return {*from}; }
template <int count>
inline I32 shift_left(I32 a) {
    return {static_cast<int32_t>(static_cast<uint32_t>(a.v) << count)};
}
template <int count>
inline I32 shift_right(I32 a) {
    return {a.v >> count};
}

inline float sum_lanes(F32 a) { return a.v; }
inline float max_lanes(F32 a) { return a.v; }
inline float min_lanes(F32 a) { return a.v; }

template <class Function>
inline F32 map_lanes(F32 a, Function function) {
    return wrap(function(a.v));
}
template <class Function>
inline F32 map_lanes(F32 a, F32 b, Function function) {
    return wrap(function(a.v, b.v));
}
