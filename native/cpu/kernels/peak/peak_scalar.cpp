#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"

#include "cpu/kernels/peak/peak_loops.h"
}  // namespace

void register_peak(KernelTable& table) { table.peak = {&multiply_add_f32}; }

}  // namespace nativegrad::cpu::scalar
