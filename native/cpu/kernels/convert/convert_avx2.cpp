// vcvtph2ps and vcvtps2ph give the bits of to_float and to_float16; tails go through a full vector on the
// stack.
#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {

constexpr int64_t width = 8;

void f16_to_f32(const Float16* x, float* y, int64_t n) {
    int64_t i = 0;
    for (; i + width <= n; i += width) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(halves));
    }
    if (i == n) return;
    alignas(16) Float16 tail[width] = {};
    alignas(32) float wide[width];
    memcpy(tail, x + i, static_cast<size_t>(n - i) * sizeof(Float16));
    _mm256_store_ps(wide, _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(tail))));
    memcpy(y + i, wide, static_cast<size_t>(n - i) * sizeof(float));
}

void f32_to_f16(const float* x, Float16* y, int64_t n) {
    int64_t i = 0;
    for (; i + width <= n; i += width) {
        const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), halves);
    }
    if (i == n) return;
    alignas(32) float wide[width] = {};
    alignas(16) Float16 tail[width];
    memcpy(wide, x + i, static_cast<size_t>(n - i) * sizeof(float));
    _mm_store_si128(reinterpret_cast<__m128i*>(tail),
                    _mm256_cvtps_ph(_mm256_load_ps(wide), _MM_FROUND_TO_NEAREST_INT));
    memcpy(y + i, tail, static_cast<size_t>(n - i) * sizeof(Float16));
}

}  // namespace

void register_convert(KernelTable& table) {
    table.convert.f16_to_f32 = &f16_to_f32;
    table.convert.f32_to_f16 = &f32_to_f16;
}

}  // namespace nativegrad::cpu::avx2
