#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::scalar {
namespace {
#include "cpu/simd/simd_scalar.h"

#include "cpu/kernels/optimizer/optimizer_loops.h"
}  // namespace

void register_optimizer(KernelTable& table) {
    table.optimizer = {&adam_f32, &sgd_f32, &rmsprop_f32, nullptr};
}

}  // namespace nativegrad::cpu::scalar
