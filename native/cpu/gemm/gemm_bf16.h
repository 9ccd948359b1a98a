#pragma once

#include "cpu/gemm/gemm.h"

namespace nativegrad::cpu {

// gemm() of bfloat16 with the kernels of kernels().gemm_bf16, which must be there.
void gemm_bf16(int64_t m, int64_t n, int64_t k, Matrix<BFloat16> a, Matrix<BFloat16> b,
               const HalfProduct<BFloat16>& c, const float* bias, const GemmExtras& extras);

}  // namespace nativegrad::cpu
