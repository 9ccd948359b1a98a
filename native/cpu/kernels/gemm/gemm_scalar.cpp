#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"

#include "cpu/kernels/gemm/gemm_micro.h"
}  // namespace

void register_gemm(KernelTable& table) {
    fill_gemm<F32, 8, 4, 3, 3>(table.gemm_f32);
    fill_gemm<F64, 8, 4, 3, 3>(table.gemm_f64);
}

}  // namespace nativegrad::cpu::scalar
