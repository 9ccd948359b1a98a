// Moves up to block_size elements between strided storage of any dtype and a dense buffer in the compute
// type.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace nativegrad::cpu {

constexpr int64_t block_size = 1024;

template <class T>
constexpr DType own_dtype();
template <>
constexpr DType own_dtype<float>() {
    return DType::float32;
}
template <>
constexpr DType own_dtype<double>() {
    return DType::float64;
}
template <>
constexpr DType own_dtype<int64_t>() {
    return DType::int64;
}
template <>
constexpr DType own_dtype<BFloat16>() {
    return DType::bfloat16;
}

// out[i] = from[i * stride]
template <class T>
void load_block(DType dtype, const void* from, int64_t stride, int64_t n, T* out);

// to[i * stride] = in[i]; floats become integers by truncation (NaN and what does not fit: the smallest
// int64, then wrapped), integers wrap, anything but zero becomes true
template <class T>
void store_block(DType dtype, void* to, int64_t stride, int64_t n, const T* in);

}  // namespace nativegrad::cpu
