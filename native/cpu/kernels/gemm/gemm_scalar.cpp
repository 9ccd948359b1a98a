#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"

#include "cpu/kernels/gemm/gemm_micro.h"
#include "cpu/kernels/gemm/gemm_micro_f64.h"
}  // namespace

void register_gemm(KernelTable& table) {
    table.gemm.f32 = {4, 8 * F32::width, &gemm_f32_micro<4, 8>};
    table.gemm.f64 = {f64_mr, f64_nr, &gemm_f64_micro};
}

}  // namespace nativegrad::cpu::scalar
