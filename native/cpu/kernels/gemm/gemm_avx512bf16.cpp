#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512bf16 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/simd/bf16_avx512bf16.h"

#include "cpu/kernels/gemm/gemm_bf16_micro.h"
}  // namespace

void register_gemm(KernelTable& table) {
    GemmBf16Kernels& kernels = table.gemm_bf16;
    kernels = {F32::width, {0, 14, 14, 8, 6}, {}, &gemm_pack_pairs};
    fill_bf16_tiles<1, 14>(kernels);
    fill_bf16_tiles<2, 14>(kernels);
    fill_bf16_tiles<3, 8>(kernels);
    fill_bf16_tiles<4, 6>(kernels);
}

}  // namespace nativegrad::cpu::avx512bf16
