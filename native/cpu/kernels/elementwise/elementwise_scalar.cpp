#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"
#include "ops/elementwise_math.h"

#include "cpu/kernels/elementwise/elementwise_loops.h"
}  // namespace

void register_elementwise(KernelTable& table) { fill_elementwise(table.elementwise_f32); }

}  // namespace nativegrad::cpu::scalar
