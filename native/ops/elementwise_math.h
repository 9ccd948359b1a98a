// The formula of every elementwise function, written once, generic over double, int64_t, the vector types of
// the CPU and the types of a GPU. Included inside a namespace that already holds the type's vocabulary
// (double_math.h, simd/). Semantics at the edges (NaN, infinities, signed zero, ties) are PyTorch's.

#include "tensor/host_device.h"

// unary: T apply(T x, T p0, T p1)
#define NATIVEGRAD_UNARY(Name, expression)                       \
    struct Name {                                                \
        template <class T>                                       \
        NATIVEGRAD_HOST_DEVICE static T apply(T x, T p0, T p1) { \
            (void)p0, (void)p1;                                  \
            return expression;                                   \
        }                                                        \
    };

// binary: T apply(T a, T b, T p0, T p1)
#define NATIVEGRAD_BINARY(Name, expression)                           \
    struct Name {                                                     \
        template <class T>                                            \
        NATIVEGRAD_HOST_DEVICE static T apply(T a, T b, T p0, T p1) { \
            (void)p0, (void)p1;                                       \
            return expression;                                        \
        }                                                             \
    };

NATIVEGRAD_UNARY(Abs, abs(x))
NATIVEGRAD_UNARY(Neg, wrapping_sub(T(0), x))
NATIVEGRAD_UNARY(Square, wrapping_mul(x, x))
NATIVEGRAD_UNARY(Floor, floor(x))
NATIVEGRAD_UNARY(Ceil, ceil(x))
NATIVEGRAD_UNARY(Round, round_even(x))
NATIVEGRAD_UNARY(Trunc, trunc(x))
NATIVEGRAD_UNARY(Clamp, min(p1, max(p0, x)))
NATIVEGRAD_UNARY(Exp, exp(x))
NATIVEGRAD_UNARY(Expm1, expm1(x))
NATIVEGRAD_UNARY(Log, log(x))
NATIVEGRAD_UNARY(Log1p, log1p(x))
NATIVEGRAD_UNARY(Log2, log2(x))
NATIVEGRAD_UNARY(Sqrt, sqrt(x))
NATIVEGRAD_UNARY(Rsqrt, T(1) / sqrt(x))
NATIVEGRAD_UNARY(Reciprocal, T(1) / x)
NATIVEGRAD_UNARY(Sin, sin(x))
NATIVEGRAD_UNARY(Cos, cos(x))
NATIVEGRAD_UNARY(Tan, tan(x))
NATIVEGRAD_UNARY(Erf, erf(x))
NATIVEGRAD_UNARY(Tanh, tanh(x))
NATIVEGRAD_UNARY(Sigmoid, sigmoid(x))
NATIVEGRAD_UNARY(Relu, max(T(0), x))
NATIVEGRAD_UNARY(LeakyRelu, select(less(T(0), x), x, x* p0))
NATIVEGRAD_UNARY(Elu, select(less(T(0), x), x, p0* expm1(min(T(0), x))))
NATIVEGRAD_UNARY(Gelu, T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752440))))
NATIVEGRAD_UNARY(Silu, x* sigmoid(x))
// softplus with beta p0 and threshold p1: log(1 + exp(p0 x)) / p0, linear above the threshold
NATIVEGRAD_UNARY(Softplus, select(less(p1, x* p0), x, (max(T(0), x* p0) + log1p(exp(-abs(x * p0)))) / p0))

struct Sign {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T x, T, T) {
        const T positive = select(less(T(0), x), T(1), T(0));
        return select(less(x, T(0)), T(-1), positive);
    }
};

struct GeluTanh {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T x, T, T) {
        const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
        return T(0.5) * x * (T(1) + tanh(inner));
    }
};

NATIVEGRAD_BINARY(Add, wrapping_add(a, b))
NATIVEGRAD_BINARY(Sub, wrapping_sub(a, b))
NATIVEGRAD_BINARY(Mul, wrapping_mul(a, b))
NATIVEGRAD_BINARY(Div, a / b)
NATIVEGRAD_BINARY(Pow, pow(a, b))
// NaN in either operand gives NaN.
NATIVEGRAD_BINARY(Minimum, select(is_nan(a), a, min(a, b)))
NATIVEGRAD_BINARY(Maximum, select(is_nan(a), a, max(a, b)))

// Python's sign rule: the remainder has the divisor's sign.
struct Remainder {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T a, T b, T, T) {
        const T r = remainder_of(a, b);
        const auto adjust = ~equal(r, T(0)) & (less(r, T(0)) ^ less(b, T(0)));
        return select(adjust, wrapping_add(r, b), r);
    }
};

struct FloorDivide {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T a, T b, T, T) {
        return floor_divide(a, b);
    }
};

// backward of y = f(x): a = dy; b = y for relu, sigmoid, tanh; b = x for the others
// As in PyTorch, the gradient passes where x is NaN.
NATIVEGRAD_BINARY(ReluBackward, select(less_equal(b, T(0)), T(0), a))
NATIVEGRAD_BINARY(LeakyReluBackward, select(less(T(0), b), a, a* p0))
NATIVEGRAD_BINARY(EluBackward, select(less(T(0), b), a, a* p0* exp(min(T(0), b))))
NATIVEGRAD_BINARY(SigmoidBackward, a* b*(T(1) - b))
NATIVEGRAD_BINARY(TanhBackward, a*(T(1) - b * b))
NATIVEGRAD_BINARY(SoftplusBackward, select(less(p1, b* p0), a, a* sigmoid(b* p0)))

struct SiluBackward {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T dy, T x, T, T) {
        const T s = sigmoid(x);
        return dy * s * (T(1) + x * (T(1) - s));
    }
};

struct GeluBackward {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T dy, T x, T, T) {
        const T z = x * T(0.70710678118654752440), e = exp_of_negative(-z * z);
        const T cdf = T(0.5) * (T(1) + erf_by_exp(z, e));
        const T pdf = T(0.39894228040143267794) * e;
        return dy * (cdf + x * pdf);
    }
};

struct GeluTanhBackward {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static T apply(T dy, T x, T, T) {
        const T c = T(0.79788456080286535588);
        const T t = tanh(c * (x + T(0.044715) * x * x * x));
        const T slope = c * (T(1) + T(0.134145) * x * x);
        return dy * T(0.5) * (T(1) + t + x * (T(1) - t * t) * slope);
    }
};

struct Equal {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return equal(a, b);
    }
};
struct NotEqual {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return ~equal(a, b);
    }
};
struct Less {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return less(a, b);
    }
};
struct LessEqual {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return less_equal(a, b);
    }
};
struct Greater {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return less(b, a);
    }
};
struct GreaterEqual {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return less_equal(b, a);
    }
};
struct LogicalAnd {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return ~equal(a, T(0)) & ~equal(b, T(0));
    }
};
struct LogicalOr {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return ~equal(a, T(0)) | ~equal(b, T(0));
    }
};
struct LogicalXor {
    template <class T>
    NATIVEGRAD_HOST_DEVICE static auto apply(T a, T b) {
        return equal(a, T(0)) ^ equal(b, T(0));
    }
};

#undef NATIVEGRAD_UNARY
#undef NATIVEGRAD_BINARY
