// Contiguous conversions between float and the two-byte types, and of bytes.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace nativegrad::cpu {

struct ConvertKernels {
    void (*f16_to_f32)(const Float16* x, float* y, int64_t n);
    void (*f32_to_f16)(const float* x, Float16* y, int64_t n);
    void (*bf16_to_f32)(const BFloat16* x, float* y, int64_t n);
    void (*f32_to_bf16)(const float* x, BFloat16* y, int64_t n);
    // y = x * scale + shift, each step rounded
    void (*u8_to_f32)(const uint8_t* x, float* y, int64_t n, float scale, float shift);
};

}  // namespace nativegrad::cpu
