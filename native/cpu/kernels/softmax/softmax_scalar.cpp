#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"

#include "cpu/kernels/softmax/softmax_loops.h"
}  // namespace

void register_softmax(KernelTable& table) { table.softmax = {&exp_sum_f32}; }

}  // namespace nativegrad::cpu::scalar
