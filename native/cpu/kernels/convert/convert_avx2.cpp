// All give the bits of to_float, to_float16 and to_bfloat16; tails go through a full vector on the stack.
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

inline __m256 widen(const BFloat16* x) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

void bf16_to_f32(const BFloat16* x, float* y, int64_t n) {
    int64_t i = 0;
    for (; i + width <= n; i += width) _mm256_storeu_ps(y + i, widen(x + i));
    if (i == n) return;
    alignas(16) BFloat16 tail[width] = {};
    alignas(32) float wide[width];
    memcpy(tail, x + i, static_cast<size_t>(n - i) * sizeof(BFloat16));
    _mm256_store_ps(wide, widen(tail));
    memcpy(y + i, wide, static_cast<size_t>(n - i) * sizeof(float));
}

// Round to nearest even in the upper halves of the lanes; NaN stays a quiet NaN.
inline __m256i round_lanes(const float* x) {
    const __m256 value = _mm256_loadu_ps(x);
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}

inline __m256i round_two(const float* x) {
    const __m256i packed = _mm256_packus_epi32(round_lanes(x), round_lanes(x + width));
    return _mm256_permute4x64_epi64(packed, 0xd8);
}

void f32_to_bf16(const float* x, BFloat16* y, int64_t n) {
    constexpr int64_t step = 2 * width;
    int64_t i = 0;
    for (; i + step <= n; i += step) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), round_two(x + i));
    }
    if (i == n) return;
    alignas(32) float wide[step] = {};
    alignas(32) BFloat16 tail[step];
    memcpy(wide, x + i, static_cast<size_t>(n - i) * sizeof(float));
    _mm256_store_si256(reinterpret_cast<__m256i*>(tail), round_two(wide));
    memcpy(y + i, tail, static_cast<size_t>(n - i) * sizeof(BFloat16));
}

#include "cpu/kernels/convert/convert_bytes.h"

}  // namespace

void register_convert(KernelTable& table) {
    table.convert = {&f16_to_f32, &f32_to_f16, &bf16_to_f32, &f32_to_bf16, &u8_to_f32};
}

}  // namespace nativegrad::cpu::avx2
