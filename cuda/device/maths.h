// Functions of float and double by one name. Those of float are accurate to about 2 units in the last place,
// as CUDA's own; the `fast_` ones (float only) are good to about 1e-6 relative.
#pragma once

#include <math.h>

#include "device/platform.h"

namespace nativegrad::cuda {

#define NATIVEGRAD_MATHS_1(name)                                            \
    __device__ __forceinline__ float name(float x) { return ::name##f(x); } \
    __device__ __forceinline__ double name(double x) { return ::name(x); }
#define NATIVEGRAD_MATHS_2(name)                                                        \
    __device__ __forceinline__ float name(float x, float y) { return ::name##f(x, y); } \
    __device__ __forceinline__ double name(double x, double y) { return ::name(x, y); }

NATIVEGRAD_MATHS_1(exp)
NATIVEGRAD_MATHS_1(expm1)
NATIVEGRAD_MATHS_1(log)
NATIVEGRAD_MATHS_1(log1p)
NATIVEGRAD_MATHS_1(log2)
NATIVEGRAD_MATHS_1(sqrt)
NATIVEGRAD_MATHS_1(sin)
NATIVEGRAD_MATHS_1(cos)
NATIVEGRAD_MATHS_1(tan)
NATIVEGRAD_MATHS_1(tanh)
NATIVEGRAD_MATHS_1(erf)
NATIVEGRAD_MATHS_1(floor)
NATIVEGRAD_MATHS_1(ceil)
NATIVEGRAD_MATHS_1(trunc)
NATIVEGRAD_MATHS_1(rint)
NATIVEGRAD_MATHS_1(fabs)
NATIVEGRAD_MATHS_2(pow)
NATIVEGRAD_MATHS_2(fmod)
NATIVEGRAD_MATHS_2(copysign)

#undef NATIVEGRAD_MATHS_1
#undef NATIVEGRAD_MATHS_2

__device__ __forceinline__ float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
__device__ __forceinline__ double fma(double a, double b, double c) { return ::fma(a, b, c); }

#ifdef NATIVEGRAD_KERNEL_CODE
__device__ __forceinline__ float infinity() {
#ifdef NATIVEGRAD_SIM
    return __builtin_inff();
#elif defined(__CUDACC__)
    return __int_as_float(0x7f800000);
#endif
}

#endif

#ifdef NATIVEGRAD_SIM
inline float rsqrt(float x) { return 1.0f / ::sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float fast_exp(float x) { return ::expf(x); }
inline float fast_log(float x) { return ::logf(x); }
inline float fast_divide(float x, float y) { return x / y; }
#elif defined(__CUDACC__)
__device__ __forceinline__ float rsqrt(float x) { return ::rsqrtf(x); }
__device__ __forceinline__ double rsqrt(double x) { return ::rsqrt(x); }
__device__ __forceinline__ float fast_exp(float x) { return __expf(x); }
__device__ __forceinline__ float fast_log(float x) { return __logf(x); }
__device__ __forceinline__ float fast_divide(float x, float y) { return __fdividef(x, y); }
#endif

}  // namespace nativegrad::cuda
