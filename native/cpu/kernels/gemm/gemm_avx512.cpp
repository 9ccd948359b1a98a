#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/kernels/gemm/gemm_micro.h"
#include "cpu/kernels/gemm/gemm_micro_f64.h"
}  // namespace

void register_gemm(KernelTable& table) {
    table.gemm.f32 = {14, 2 * F32::width, &gemm_f32_micro<14, 2>};
    table.gemm.f64 = {f64_mr, f64_nr, &gemm_f64_micro};
}

}  // namespace nativegrad::cpu::avx512
