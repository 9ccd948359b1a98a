#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu::avx512 {
namespace {
#include "cpu/simd/simd_avx512.h"

#include "cpu/simd/column_block.h"

#include "cpu/kernels/reduce/reduce_loops.h"
}  // namespace

void register_reduce(KernelTable& table) {
    table.reduce = {&sum_f32,           &sum_of_squares_f32,  &max_f32,      &min_f32,     &add_rows_f32,
                    &add_rows_wide_f32, &add_square_rows_f32, &max_rows_f32, &min_rows_f32};
}

}  // namespace nativegrad::cpu::avx512
