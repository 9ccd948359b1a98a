#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx2 {
namespace {
#include "cpu/simd/simd_avx2.h"

#include "cpu/simd/column_block.h"

#include "cpu/simd/row_vectors.h"

#include "cpu/kernels/softmax/softmax_loops.h"

#include "cpu/kernels/softmax/softmax_columns.h"

#include "cpu/kernels/softmax/cross_entropy_rows.h"
}  // namespace

void register_softmax(KernelTable& table) {
    table.softmax = {&exp_sum_f32,
                     &softmax_rows_f32,
                     &softmax_rows_backward_f32,
                     &softmax_columns_f32,
                     &softmax_columns_backward_f32,
                     &cross_entropy_f32,
                     &cross_entropy_backward_f32};
}

}  // namespace nativegrad::cpu::avx2
