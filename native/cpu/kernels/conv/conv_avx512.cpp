#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/kernels/conv/conv_micro.h"
#include "cpu/kernels/conv/depthwise_micro.h"
#include "cpu/kernels/conv/winograd_micro.h"
}  // namespace

void register_conv(KernelTable& table) {
    table.conv.f32.mr = 14;
    table.conv.f32.nr = 2 * F32::width;
    fill_conv_rows<14, 2>(table.conv.f32);
    table.conv.few_taps = &few_taps_f32<2, 4, 2 * F32::width>;
    fill_conv_f64(table.conv.f64);
    fill_winograd(table.conv.winograd);
    fill_depthwise(table.conv.depthwise);
}

}  // namespace nativegrad::cpu::avx512
