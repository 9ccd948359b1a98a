#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/kernels/gemm/gemm_micro.h"
}  // namespace

void register_gemm(KernelTable& table) {
    fill_gemm<F32, 14, 14, 8, 6>(table.gemm_f32);
    fill_gemm<F64, 14, 14, 8, 6>(table.gemm_f64);
}

}  // namespace nativegrad::cpu::avx512
