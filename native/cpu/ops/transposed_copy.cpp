#include "cpu/ops/transposed_copy.h"

#include "cpu/kernel_table.h"

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

}  // namespace

bool copy_transposed(const StridedLoop<2>& loop, const TensorView& x, const TensorView& out) {
    const int32_t last = loop.rank - 1;
    if (x.dtype != DType::float32 || out.dtype != DType::float32) return false;
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
        kernels().gemm_f32.transpose(static_cast<const float*>(x.data) + from, loop.inner_stride(1),
                                     loop.inner(), std::min(rows_per_task, loop.shape[rows] - first),
                                     static_cast<float*>(out.data) + to, loop.strides[0][rows]);
    });
    return true;
}

}  // namespace nativegrad::cpu
