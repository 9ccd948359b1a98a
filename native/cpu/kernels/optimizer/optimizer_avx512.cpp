#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/kernels/optimizer/optimizer_loops.h"

#include "cpu/kernels/optimizer/adam_product.h"
}  // namespace

void register_optimizer(KernelTable& table) {
    table.optimizer = {&adam_f32, &sgd_f32, &rmsprop_f32, &adam_product_f32};
}

}  // namespace nativegrad::cpu::avx512
