// The vocabulary of elementwise_math.h for double and int64_t: the C library's functions, and plain
// comparisons. Included inside a namespace, after <math.h>. min and max return the second operand when either
// is NaN.

#include "tensor/host_device.h"

struct BoolMask {
    bool v;
};
NATIVEGRAD_HOST_DEVICE inline BoolMask operator|(BoolMask a, BoolMask b) { return {a.v || b.v}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask operator&(BoolMask a, BoolMask b) { return {a.v && b.v}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask operator^(BoolMask a, BoolMask b) { return {a.v != b.v}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask operator~(BoolMask a) { return {!a.v}; }

NATIVEGRAD_HOST_DEVICE inline BoolMask less(double a, double b) { return {a < b}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask less_equal(double a, double b) { return {a <= b}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask equal(double a, double b) { return {a == b}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask is_nan(double a) { return {a != a}; }
NATIVEGRAD_HOST_DEVICE inline double select(BoolMask mask, double yes, double no) {
    return mask.v ? yes : no;
}
NATIVEGRAD_HOST_DEVICE inline double min(double a, double b) { return a < b ? a : b; }
NATIVEGRAD_HOST_DEVICE inline double max(double a, double b) { return a > b ? a : b; }
NATIVEGRAD_HOST_DEVICE inline double abs(double a) { return ::fabs(a); }
NATIVEGRAD_HOST_DEVICE inline double round_even(double a) { return ::rint(a); }
NATIVEGRAD_HOST_DEVICE inline double sigmoid(double a) { return 1.0 / (1.0 + ::exp(-a)); }
NATIVEGRAD_HOST_DEVICE inline double exp_of_negative(double a) { return ::exp(a); }
NATIVEGRAD_HOST_DEVICE inline double erf_by_exp(double a, double) { return ::erf(a); }
NATIVEGRAD_HOST_DEVICE inline double remainder_of(double a, double b) { return ::fmod(a, b); }
using ::ceil;
using ::cos;
using ::erf;
using ::exp;
using ::expm1;
using ::floor;
using ::log;
using ::log1p;
using ::log2;
using ::pow;
using ::sin;
using ::sqrt;
using ::tan;
using ::tanh;
using ::trunc;

NATIVEGRAD_HOST_DEVICE inline BoolMask less(int64_t a, int64_t b) { return {a < b}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask less_equal(int64_t a, int64_t b) { return {a <= b}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask equal(int64_t a, int64_t b) { return {a == b}; }
NATIVEGRAD_HOST_DEVICE inline BoolMask is_nan(int64_t) { return {false}; }
NATIVEGRAD_HOST_DEVICE inline int64_t select(BoolMask mask, int64_t yes, int64_t no) {
    return mask.v ? yes : no;
}
NATIVEGRAD_HOST_DEVICE inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
NATIVEGRAD_HOST_DEVICE inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
NATIVEGRAD_HOST_DEVICE inline int64_t abs(int64_t a) {
    return a < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a)) : a;
}
NATIVEGRAD_HOST_DEVICE inline int64_t floor(int64_t a) { return a; }
NATIVEGRAD_HOST_DEVICE inline int64_t ceil(int64_t a) { return a; }
NATIVEGRAD_HOST_DEVICE inline int64_t trunc(int64_t a) { return a; }
NATIVEGRAD_HOST_DEVICE inline int64_t round_even(int64_t a) { return a; }
NATIVEGRAD_HOST_DEVICE inline int64_t remainder_of(int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }

// Division that rounds down, with Python's corrections for floats; the caller has refused integer division by
// zero.
template <class T>
NATIVEGRAD_HOST_DEVICE inline T floor_divide_float(T a, T b, T quotient, T modulus) {
    if (b == T(0)) return quotient;
    T result = (a - modulus) / b;
    if (modulus != T(0) && (b < T(0)) != (modulus < T(0))) result -= T(1);
    if (result == T(0)) return static_cast<T>(::copysign(0.0, quotient));
    const T down = static_cast<T>(::floor(result));
    return result - down > T(0.5) ? down + T(1) : down;
}
NATIVEGRAD_HOST_DEVICE inline double floor_divide(double a, double b) {
    return floor_divide_float(a, b, a / b, ::fmod(a, b));
}
NATIVEGRAD_HOST_DEVICE inline int64_t floor_divide(int64_t a, int64_t b) {
    if (b == -1) return static_cast<int64_t>(0 - static_cast<uint64_t>(a));
    const int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

// Integers wrap around; unsigned arithmetic keeps that defined.
NATIVEGRAD_HOST_DEVICE inline int64_t wrapping_add(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
NATIVEGRAD_HOST_DEVICE inline int64_t wrapping_sub(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
NATIVEGRAD_HOST_DEVICE inline int64_t wrapping_mul(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
template <class T>
NATIVEGRAD_HOST_DEVICE inline T wrapping_add(T a, T b) {
    return a + b;
}
template <class T>
NATIVEGRAD_HOST_DEVICE inline T wrapping_sub(T a, T b) {
    return a - b;
}
template <class T>
NATIVEGRAD_HOST_DEVICE inline T wrapping_mul(T a, T b) {
    return a * b;
}
NATIVEGRAD_HOST_DEVICE inline int64_t pow(int64_t base, int64_t exponent) {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
    int64_t result = 1;
    for (; exponent > 0; exponent >>= 1, base = wrapping_mul(base, base)) {
        if (exponent & 1) result = wrapping_mul(result, base);
    }
    return result;
}
