// The functions of elementwise_table.def for float, double and int64_t on a group of values at a time. Which
// one is known at run time only: a switch that all lanes take alike costs less than an instance per function.
#pragma once

#include <math.h>

#include <type_traits>

#include "device/platform.h"
#include "ops/functions.h"

namespace nativegrad::cuda {

// Elements of one lane that lie side by side: 16 bytes of float32, or of the dtypes of two bytes.
constexpr int group = 4, wide_group = 8;

template <class T, int width = group>
using Group = T[width];

namespace formulas {

#include "ops/double_math.h"

inline __host__ __device__ BoolMask less(float a, float b) { return {a < b}; }
inline __host__ __device__ BoolMask less_equal(float a, float b) { return {a <= b}; }
inline __host__ __device__ BoolMask equal(float a, float b) { return {a == b}; }
inline __host__ __device__ BoolMask is_nan(float a) { return {a != a}; }
inline __host__ __device__ float select(BoolMask mask, float yes, float no) { return mask.v ? yes : no; }
inline __host__ __device__ float min(float a, float b) { return a < b ? a : b; }
inline __host__ __device__ float max(float a, float b) { return a > b ? a : b; }
inline __host__ __device__ float abs(float a) { return ::fabsf(a); }
inline __host__ __device__ float round_even(float a) { return ::rintf(a); }
// Not 1 / (1 + exp(-a)), which is 0 where exp(-a) overflows and the value is still a subnormal number.
inline __host__ __device__ float sigmoid(float a) {
    const float e = ::expf(-::fabsf(a));
    return (a < 0 ? e : 1.0f) / (1.0f + e);
}
inline __host__ __device__ float exp_of_negative(float a) { return ::expf(a); }
inline __host__ __device__ float erf_by_exp(float a, float) { return ::erff(a); }
inline __host__ __device__ float remainder_of(float a, float b) { return ::fmodf(a, b); }
inline __host__ __device__ float floor_divide(float a, float b) {
    return floor_divide_float(a, b, a / b, ::fmodf(a, b));
}

#include "ops/elementwise_math.h"

}  // namespace formulas

template <class T, int width>
__device__ __forceinline__ void apply_unary(UnaryFunction function, const Group<T, width>& x, T p0, T p1,
                                            Group<T, width>& out) {
    switch (function) {
#define UNARY(name, Formula, integer)                                  \
    case UnaryFunction::name:                                          \
        if constexpr (integer || !std::is_same_v<T, int64_t>) {        \
            _Pragma("unroll") for (int i = 0; i < width; ++i) out[i] = \
                formulas::Formula::apply(x[i], p0, p1);                \
        }                                                              \
        return;
#include "ops/elementwise_table.def"
#undef UNARY
        case UnaryFunction::count:
            return;
    }
}

// Integers: no b may be 0 where it divides.
template <class T, int width>
__device__ __forceinline__ void apply_binary(BinaryFunction function, const Group<T, width>& a,
                                             const Group<T, width>& b, T p0, T p1, Group<T, width>& out) {
    switch (function) {
#define BINARY(name, Formula, integer)                                 \
    case BinaryFunction::name:                                         \
        if constexpr (integer || !std::is_same_v<T, int64_t>) {        \
            _Pragma("unroll") for (int i = 0; i < width; ++i) out[i] = \
                formulas::Formula::apply(a[i], b[i], p0, p1);          \
        }                                                              \
        return;
#include "ops/elementwise_table.def"
#undef BINARY
        case BinaryFunction::count:
            return;
    }
}

// out: 0 or 1
template <class T, int width>
__device__ __forceinline__ void apply_compare(CompareFunction function, const Group<T, width>& a,
                                              const Group<T, width>& b, Group<T, width>& out) {
    switch (function) {
#define COMPARE(name, Formula)                                     \
    case CompareFunction::name:                                    \
        _Pragma("unroll") for (int i = 0; i < width; ++i) out[i] = \
            formulas::Formula::apply(a[i], b[i]).v ? T(1) : T(0);  \
        return;
#include "ops/elementwise_table.def"
#undef COMPARE
        case CompareFunction::count:
            return;
    }
}

// A constant of a function in the compute type; bounds outside the range of int64 become its ends.
template <class T>
T constant_of(double value) {
    if constexpr (!std::is_same_v<T, int64_t>) {
        return static_cast<T>(value);
    } else {
        if (value >= -9223372036854775808.0 && value < 9223372036854775808.0)
            return static_cast<int64_t>(value);
        return value > 0 ? INT64_MAX : INT64_MIN;
    }
}

template <class T>
struct Constants {
    T p0, p1;
};

template <class T, class Params>
Constants<T> constants_of(const Params& params) {
    return {constant_of<T>(params.p0.values[0]), constant_of<T>(params.p1.values[0])};
}

}  // namespace nativegrad::cuda
