// Float16 and BFloat16 are storage: as_float() reads them, from_float<T>() rounds to nearest even, as
// tensor/half.h does on the host (a NaN stays one; its payload may differ). Host code may call them, too:
// nvcc gives a function that is only the device's a body for the host that ends the process.
#pragma once

#include "device/platform.h"

namespace nativegrad::cuda {

__host__ __device__ __forceinline__ float as_float(float value) { return value; }

__host__ __device__ __forceinline__ float as_float(Float16 value) {
#ifdef __CUDA_ARCH__
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
    return result;
#else
    return to_float(value);
#endif
}

__host__ __device__ __forceinline__ float as_float(BFloat16 value) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
#else
    return to_float(value);
#endif
}

template <class T>
__host__ __device__ __forceinline__ T from_float(float value);

template <>
__host__ __device__ __forceinline__ float from_float<float>(float value) {
    return value;
}

template <>
__host__ __device__ __forceinline__ Float16 from_float<Float16>(float value) {
#ifdef __CUDA_ARCH__
    Float16 result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    return to_float16(value);
#endif
}

template <>
__host__ __device__ __forceinline__ BFloat16 from_float<BFloat16>(float value) {
#ifndef __CUDA_ARCH__
    return to_bfloat16(value);
#else
    BFloat16 result;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
#else
    const unsigned bits = __float_as_uint(value);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    const unsigned rounded = nan ? bits | 0x00400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
    result.bits = static_cast<uint16_t>(rounded >> 16);
#endif
    return result;
#endif
}

// Two halves in one 32-bit register, the first in the low bits: what mma.sync and half2 instructions take.
template <class T>
__device__ __forceinline__ uint32_t pack_pair(T low, T high) {
    static_assert(sizeof(T) == 2, "pairs are of 16-bit types");
    return uint32_t{low.bits} | uint32_t{high.bits} << 16;
}

}  // namespace nativegrad::cuda
