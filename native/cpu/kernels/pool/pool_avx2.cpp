#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {
#include "cpu/simd/simd_avx2.h"

#include "cpu/kernels/pool/pool_loops.h"
}  // namespace

void register_pool(KernelTable& table) { table.pool = {&max_pool_f32, &max_unpool_f32}; }

}  // namespace nativegrad::cpu::avx2
