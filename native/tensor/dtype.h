// Element types. The order is part of the contract with lib/tensor/dtype.ts and with every backend plugin.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

namespace nativegrad {

// NG_DTYPE(name, C++ type, compute class)
// The compute class is the type in which kernels work on that storage: f16 and bf16 in float, all integers in
// int64.
#define NATIVEGRAD_DTYPES(X)   \
    X(float32, float, f32)     \
    X(float64, double, f64)    \
    X(float16, Float16, f32)   \
    X(bfloat16, BFloat16, f32) \
    X(int64, int64_t, i64)     \
    X(int32, int32_t, i64)     \
    X(uint8, uint8_t, i64)     \
    X(boolean, Bool8, i64)

enum class DType : int32_t {
#define X(name, type, compute) name,
    NATIVEGRAD_DTYPES(X)
#undef X
};

constexpr int32_t dtype_count = 8;

enum class ComputeClass { f32, f64, i64 };

constexpr size_t item_size(DType dtype) {
    switch (dtype) {
#define X(name, type, compute) \
    case DType::name:          \
        return sizeof(type);
        NATIVEGRAD_DTYPES(X)
#undef X
    }
    return 0;
}

constexpr ComputeClass compute_class(DType dtype) {
    switch (dtype) {
#define X(name, type, compute) \
    case DType::name:          \
        return ComputeClass::compute;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
    return ComputeClass::f32;
}

constexpr bool is_two_byte_float(DType dtype) { return dtype == DType::bfloat16 || dtype == DType::float16; }
constexpr bool is_float(DType dtype) { return compute_class(dtype) != ComputeClass::i64; }

const char* dtype_name(DType dtype);

}  // namespace nativegrad
