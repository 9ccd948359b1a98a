// Rows of two-byte floats to float32 and back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/kernel_table.h"

namespace nativegrad::cpu {

inline void to_floats(const Float16* x, float* y, int64_t n) { kernels().convert.f16_to_f32(x, y, n); }
inline void to_floats(const BFloat16* x, float* y, int64_t n) { kernels().convert.bf16_to_f32(x, y, n); }
inline void round_row(const float* x, Float16* y, int64_t n) { kernels().convert.f32_to_f16(x, y, n); }
inline void round_row(const float* x, BFloat16* y, int64_t n) { kernels().convert.f32_to_bf16(x, y, n); }

// x as its nearest values of the shorter type
template <class Half>
void round_in_place(float* x, int64_t n) {
    constexpr int64_t strip = 512;
    Half rounded[strip];
    for (int64_t i = 0; i < n; i += strip) {
        const int64_t count = std::min(strip, n - i);
        round_row(x + i, rounded, count);
        to_floats(rounded, x + i, count);
    }
}

}  // namespace nativegrad::cpu
