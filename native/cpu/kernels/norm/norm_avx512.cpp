#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/simd/column_block.h"

#include "cpu/simd/row_vectors.h"

#include "cpu/kernels/norm/norm_columns.h"

#include "cpu/kernels/norm/norm_windows.h"

#include "cpu/kernels/norm/norm_rows.h"
}  // namespace

void register_norm(KernelTable& table) {
    table.norm = {&column_moments_f32,          &column_products_f32,
                  &normalize_columns_f32,       &normalize_columns_backward_f32,
                  &normalize_pool_f32,          &pool_products_f32,
                  &normalize_pool_backward_f32, &normalize_rows_f32,
                  &normalize_rows_backward_f32};
}

}  // namespace nativegrad::cpu::avx512
