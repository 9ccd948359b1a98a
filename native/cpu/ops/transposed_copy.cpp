#include "cpu/ops/transposed_copy.h"

#include "cpu/kernel_table.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t rows_per_task = 64;
constexpr int64_t least_side = 4;  // narrower ones gain nothing

// The axis of the loop along which x is contiguous, or -1.
int32_t contiguous_axis(const StridedLoop<2>& loop) {
    for (int32_t axis = 0; axis + 1 < loop.rank; ++axis) {
        if (loop.strides[1][axis] == 1 && loop.shape[axis] >= least_side) return axis;
    }
    return -1;
}

// from [rows, columns] at (from_row, 1) -> to [columns, rows] at (to_row, 1) by way of float32, `side` rows
// at a time; at most `rows_per_task` columns
void transpose_converted(DType from_dtype, const char* from, int64_t from_row, int64_t rows, int64_t columns,
                         DType to_dtype, char* to, int64_t to_row) {
    constexpr int64_t side = 64;
    float read[side * rows_per_task], turned[rows_per_task * side];
    const int64_t from_size = static_cast<int64_t>(item_size(from_dtype));
    const int64_t to_size = static_cast<int64_t>(item_size(to_dtype));
    for (int64_t first = 0; first < rows; first += side) {
        const int64_t count = std::min(side, rows - first);
        for (int64_t i = 0; i < count; ++i)
            load_block(from_dtype, from + (first + i) * from_row * from_size, 1, columns, read + i * columns);
        kernels().gemm_f32.transpose(read, columns, count, columns, turned, count);
        for (int64_t j = 0; j < columns; ++j)
            store_block(to_dtype, to + (j * to_row + first) * to_size, 1, count, turned + j * count);
    }
}

bool is_float32_or_shorter(DType dtype) {
    return dtype == DType::float32 || dtype == DType::float16 || dtype == DType::bfloat16;
}

}  // namespace

bool copy_transposed(const StridedLoop<2>& loop, const TensorView& x, const TensorView& out) {
    const int32_t last = loop.rank - 1;
    if (!is_float32_or_shorter(x.dtype) || !is_float32_or_shorter(out.dtype)) return false;
    if (loop.inner_stride(0) != 1 || loop.inner_stride(1) <= 1 || loop.inner() < least_side) return false;
    const int32_t rows = contiguous_axis(loop);
    if (rows < 0) return false;
    int64_t matrices = 1;
    for (int32_t axis = 0; axis < last; ++axis) matrices *= axis == rows ? 1 : loop.shape[axis];
    const int64_t blocks = (loop.shape[rows] + rows_per_task - 1) / rows_per_task;
    parallel_for(matrices * blocks, [&](int64_t task) {
        const int64_t first = task % blocks * rows_per_task;
        int64_t to = first * loop.strides[0][rows], from = first, index = task / blocks;
        for (int32_t axis = last - 1; axis >= 0; --axis) {
            if (axis == rows) continue;
            to += index % loop.shape[axis] * loop.strides[0][axis];
            from += index % loop.shape[axis] * loop.strides[1][axis];
            index /= loop.shape[axis];
        }
        const int64_t count = std::min(rows_per_task, loop.shape[rows] - first);
        if (x.dtype != DType::float32 || out.dtype != DType::float32) {
            return transpose_converted(x.dtype, element(x, from), loop.inner_stride(1), loop.inner(), count,
                                       out.dtype, element(out, to), loop.strides[0][rows]);
        }
        kernels().gemm_f32.transpose(static_cast<const float*>(x.data) + from, loop.inner_stride(1),
                                     loop.inner(), count, static_cast<float*>(out.data) + to,
                                     loop.strides[0][rows]);
    });
    return true;
}

}  // namespace nativegrad::cpu
