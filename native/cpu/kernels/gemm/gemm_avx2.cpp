#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {
#include "cpu/simd/simd_avx2.h"

#include "cpu/kernels/gemm/gemm_micro.h"
}  // namespace

void register_gemm(KernelTable& table) {
    fill_gemm<F32, 12, 6, 4, 3>(table.gemm_f32);
    fill_gemm<F64, 12, 6, 4, 3>(table.gemm_f64);
}

}  // namespace nativegrad::cpu::avx2
