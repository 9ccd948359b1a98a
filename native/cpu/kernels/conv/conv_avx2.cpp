#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {
#include "cpu/simd/simd_avx2.h"

#include "cpu/kernels/conv/conv_micro.h"
}  // namespace

void register_conv(KernelTable& table) {
    table.conv.f32 = {6, 2 * F32::width, &conv_f32_micro<6, 2>};
    table.conv.f64 = {conv_f64_mr, conv_f64_nr, &conv_f64_micro};
}

}  // namespace nativegrad::cpu::avx2
