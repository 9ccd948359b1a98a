#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512bf16 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/simd/bf16_avx512bf16.h"

#include "cpu/kernels/conv/conv_bf16_micro.h"
}  // namespace

void register_conv(KernelTable& table) {
    table.conv_bf16.nr = 2 * F32::width;
    fill_conv_bf16<conv_bf16_most_rows>(table.conv_bf16);
    table.conv_bf16.few_taps = &few_taps_bf16;
}

}  // namespace nativegrad::cpu::avx512bf16
