// All give the bits of to_float, to_float16 and to_bfloat16; tails are masked.
#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/simd/bf16_rounding_avx512.h"

// Calls body(i, mask) for vectors of `width` elements, all of them whole but for the last.
template <class Body>
inline void for_vectors(int64_t n, const Body& body) {
    constexpr int64_t width = F32::width;
    int64_t i = 0;
    for (; i + width <= n; i += width) body(i, static_cast<__mmask16>(0xffff));
    if (i < n) body(i, first_lanes(n - i));
}

void f16_to_f32(const Float16* x, float* y, int64_t n) {
    for_vectors(n, [&](int64_t i, __mmask16 mask) {
        _mm512_mask_storeu_ps(y + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
    });
}

void f32_to_f16(const float* x, Float16* y, int64_t n) {
    for_vectors(n, [&](int64_t i, __mmask16 mask) {
        const __m512 wide = _mm512_maskz_loadu_ps(mask, x + i);
        _mm256_mask_storeu_epi16(y + i, mask, _mm512_cvtps_ph(wide, _MM_FROUND_TO_NEAREST_INT));
    });
}

void bf16_to_f32(const BFloat16* x, float* y, int64_t n) {
    for_vectors(n, [&](int64_t i, __mmask16 mask) {
        const __m512i lanes = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x + i));
        _mm512_mask_storeu_epi32(y + i, mask, _mm512_slli_epi32(lanes, 16));
    });
}

void f32_to_bf16(const float* x, BFloat16* y, int64_t n) {
    for_vectors(n, [&](int64_t i, __mmask16 mask) {
        _mm256_mask_storeu_epi16(y + i, mask, round_to_bf16(wrap(_mm512_maskz_loadu_ps(mask, x + i))));
    });
}

#include "cpu/kernels/convert/convert_bytes.h"

}  // namespace

void register_convert(KernelTable& table) {
    table.convert = {&f16_to_f32, &f32_to_f16, &bf16_to_f32, &f32_to_bf16, &u8_to_f32};
}

}  // namespace nativegrad::cpu::avx512
