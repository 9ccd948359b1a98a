#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {

void f16_to_f32(const Float16* x, float* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = to_float(x[i]);
}
void f32_to_f16(const float* x, Float16* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = to_float16(x[i]);
}
void bf16_to_f32(const BFloat16* x, float* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = to_float(x[i]);
}
void f32_to_bf16(const float* x, BFloat16* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = to_bfloat16(x[i]);
}

#include "cpu/kernels/convert/convert_bytes.h"

}  // namespace

void register_convert(KernelTable& table) {
    table.convert = {&f16_to_f32, &f32_to_f16, &bf16_to_f32, &f32_to_bf16, &u8_to_f32};
}

}  // namespace nativegrad::cpu::scalar
