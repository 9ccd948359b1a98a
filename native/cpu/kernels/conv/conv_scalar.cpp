#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"

#include "cpu/kernels/conv/conv_micro.h"
}  // namespace

void register_conv(KernelTable& table) {
    table.conv.f32 = {4, 8 * F32::width, &conv_f32_micro<4, 8>};
    table.conv.f64 = {conv_f64_mr, conv_f64_nr, &conv_f64_micro};
}

}  // namespace nativegrad::cpu::scalar
