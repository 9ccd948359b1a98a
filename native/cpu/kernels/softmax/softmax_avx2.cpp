#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {
#include "cpu/simd/simd_avx2.h"

#include "cpu/kernels/softmax/softmax_loops.h"
}  // namespace

void register_softmax(KernelTable& table) { table.softmax = {&exp_sum_f32}; }

}  // namespace nativegrad::cpu::avx2
