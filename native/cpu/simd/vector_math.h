// exp, log, tanh and their relatives on F32. Included inside an instruction-set namespace after F32.
// Ranges are reduced as in Cody and Waite, "Software Manual for the Elementary Functions" (1980); the
// coefficients of exp, log, tanh and erf are those of S. Moshier's Cephes library (single precision). Errors
// are within 4 ulp; test/ops/float_accuracy.test.ts holds each function to its own bound.

// x = n log 2 + r
struct ReducedExponent {
    F32 n, r;
};
inline ReducedExponent reduce_exponent(F32 x) {
    const F32 n = round_even(x * F32(1.44269504088896341));
    F32 r = fma(n, F32(-0.693359375), x);
    return {n, fma(n, F32(2.12194440e-4), r)};
}

// e^r - 1 for |r| <= log(2) / 2
inline F32 expm1_near_zero(F32 r) {
    F32 p = F32(1.9875691500e-4);
    p = fma(p, r, F32(1.3981999507e-3));
    p = fma(p, r, F32(8.3334519073e-3));
    p = fma(p, r, F32(4.1665795894e-2));
    p = fma(p, r, F32(1.6666665459e-1));
    p = fma(p, r, F32(5.0000001201e-1));
    return fma(p, r * r, r);
}

// What vanishes is not scaled down to 0: on Intel's processors a result below the normal numbers costs more
// than a hundred cycles.
inline F32 exp(F32 x) {
    const Mask stays = ~less(x, F32(-104.0));
    // The operand order keeps NaN: min returns its second operand for it.
    const ReducedExponent reduced = reduce_exponent(select(stays, min(F32(89.0), x), F32(0.0)));
    return scale_by_power_of_two(expm1_near_zero(reduced.r) + F32(1.0), reduced.n, stays);
}

// e^x for x <= 0, the same bits as exp
inline F32 exp_of_negative(F32 x) {
    const Mask stays = ~less(x, F32(-104.0));
    const ReducedExponent reduced = reduce_exponent(select(stays, x, F32(0.0)));
    return scale_by_power_of_two(expm1_near_zero(reduced.r) + F32(1.0), reduced.n, stays);
}

inline F32 expm1(F32 x) {
    const F32 bounded = max(F32(-18.0), min(F32(17.0), x));
    const ReducedExponent reduced = reduce_exponent(select(is_nan(x), F32(0.0), bounded));
    const F32 power = scale_by_power_of_two(F32(1.0), reduced.n);
    const F32 near = fma(expm1_near_zero(reduced.r), power, power - F32(1.0));
    const F32 y = select(less(F32(17.0), x), exp(x), near);
    return select(is_nan(x) | equal(x, F32(0.0)), x, y);
}

inline F32 log(F32 x) {
    const Mask subnormal = less(x, F32(1.17549435e-38));
    const F32 normal = select(subnormal, x * F32(8388608.0), x);
    const I32 bits = bits_of(normal);
    // Mantissa in [sqrt(1/2), sqrt(2)).
    const I32 shifted = bits - int_constant(0x3f3504f3);
    F32 e = to_float(shift_right<23>(shifted));
    const F32 m = from_bits((shifted & int_constant(0x007fffff)) + int_constant(0x3f3504f3));
    e = select(subnormal, e - F32(23.0), e);
    const F32 r = m - F32(1.0);
    const F32 r2 = r * r;
    F32 p = F32(7.0376836292e-2);
    p = fma(p, r, F32(-1.1514610310e-1));
    p = fma(p, r, F32(1.1676998740e-1));
    p = fma(p, r, F32(-1.2420140846e-1));
    p = fma(p, r, F32(1.4249322787e-1));
    p = fma(p, r, F32(-1.6668057665e-1));
    p = fma(p, r, F32(2.0000714765e-1));
    p = fma(p, r, F32(-2.4999993993e-1));
    p = fma(p, r, F32(3.3333331174e-1));
    F32 y = p * r * r2;
    y = fma(e, F32(-2.12194440e-4), y);
    y = fma(F32(-0.5), r2, y);
    y = r + y;
    y = fma(e, F32(0.693359375), y);
    y = select(equal(x, F32(0.0)), F32(-INFINITY), y);
    y = select(equal(x, F32(INFINITY)), x, y);
    return select(less(x, F32(0.0)) | is_nan(x), F32(NAN), y);
}

inline F32 tanh(F32 x) {
    const F32 magnitude = abs(x);
    const F32 x2 = x * x;
    F32 p = F32(-5.70498872745e-3);
    p = fma(p, x2, F32(2.06390887954e-2));
    p = fma(p, x2, F32(-5.37397155531e-2));
    p = fma(p, x2, F32(1.33314422036e-1));
    p = fma(p, x2, F32(-3.33332819422e-1));
    const F32 near_zero = fma(p * x2, x, x);
    const F32 far = F32(1.0) - F32(2.0) / (exp(magnitude + magnitude) + F32(1.0));
    const F32 signed_far = select(less(x, F32(0.0)), -far, far);
    return select(less(magnitude, F32(0.625)), near_zero, signed_far);
}

// e^-|x| cannot overflow, so small results stay precise.
inline F32 sigmoid(F32 x) {
    const F32 e = exp(-abs(x));
    return select(less(x, F32(0.0)), e, F32(1.0)) / (F32(1.0) + e);
}

// log(u) x / (u - 1) with u = 1 + x corrects the rounding of u (Hewlett-Packard HP-15C Advanced Functions
// Handbook, 1982).
inline F32 log1p(F32 x) {
    const F32 u = F32(1.0) + x;
    const F32 y = log(u) * (x / (u - F32(1.0)));
    const Mask plain = equal(u, F32(1.0)) | equal(x, F32(INFINITY));
    return select(plain, x, select(equal(u, F32(0.0)), F32(-INFINITY), y));
}

// erf(x), where e^(-x^2) is known
inline F32 erf_by_exp(F32 x, F32 e) {
    const F32 magnitude = abs(x), x2 = x * x;
    F32 p = F32(7.853861353153693e-5);
    p = fma(p, x2, F32(-8.010193625184903e-4));
    p = fma(p, x2, F32(5.188327685732524e-3));
    p = fma(p, x2, F32(-2.685381193529856e-2));
    p = fma(p, x2, F32(1.128358514861418e-1));
    p = fma(p, x2, F32(-3.761262582423300e-1));
    p = fma(p, x2, F32(1.128379165726710));
    const F32 near_zero = x * p;
    // 1 - e^(-x^2) q(1 / x^2) / |x|
    const F32 inverse = F32(1.0) / max(F32(1.0), magnitude), z = inverse * inverse;
    F32 q = F32(2.326819970068386e-2);
    q = fma(q, z, F32(-1.387039388740657e-1));
    q = fma(q, z, F32(3.687424674597105e-1));
    q = fma(q, z, F32(-5.824733027278666e-1));
    q = fma(q, z, F32(6.210004621745983e-1));
    q = fma(q, z, F32(-4.944515323274145e-1));
    q = fma(q, z, F32(3.404879937665872e-1));
    q = fma(q, z, F32(-2.741127028184656e-1));
    q = fma(q, z, F32(5.638259427386472e-1));
    const F32 far = F32(1.0) - e * inverse * q;
    const F32 signed_far = select(less(x, F32(0.0)), -far, far);
    return select(is_nan(x), x, select(less(magnitude, F32(1.0)), near_zero, signed_far));
}

inline F32 erf(F32 x) { return erf_by_exp(x, exp_of_negative(-x * x)); }

inline F32 log2(F32 x) {
    return map_lanes(x, [](float v) { return ::log2f(v); });
}
inline F32 sin(F32 x) {
    return map_lanes(x, [](float v) { return ::sinf(v); });
}
inline F32 cos(F32 x) {
    return map_lanes(x, [](float v) { return ::cosf(v); });
}
inline F32 tan(F32 x) {
    return map_lanes(x, [](float v) { return ::tanf(v); });
}
inline F32 pow(F32 x, F32 y) {
    return map_lanes(x, y, [](float a, float b) { return ::powf(a, b); });
}
inline F32 remainder_of(F32 x, F32 y) {
    return map_lanes(x, y, [](float a, float b) { return ::fmodf(a, b); });
}
inline F32 floor_divide(F32 x, F32 y) {
    return map_lanes(x, y,
                     [](float a, float b) { return floor_divide_float<float>(a, b, a / b, ::fmodf(a, b)); });
}
