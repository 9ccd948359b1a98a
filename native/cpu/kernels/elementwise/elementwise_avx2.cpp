#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {
#include "cpu/simd/simd_avx2.h"
#include "ops/elementwise_math.h"

#include "cpu/kernels/elementwise/elementwise_loops.h"
}  // namespace

void register_elementwise(KernelTable& table) { fill_elementwise(table.elementwise_f32); }

}  // namespace nativegrad::cpu::avx2
