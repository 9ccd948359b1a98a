#include <cstring>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/ops/strided_loop.h"

namespace nativegrad::cpu {

namespace {

int64_t read_index(const TensorView& index, int64_t i, int64_t size) {
    int64_t value;
    load_block(index.dtype, element(index, i * index.strides[0]), 1, 1, &value);
    if (value < 0 || value >= size) {
        fail("index %lld at position %lld is outside [0, %lld)", static_cast<long long>(value),
             static_cast<long long>(i), static_cast<long long>(size));
    }
    return value;
}

// One slice of x along the axis, as a view of rank x.rank - 1.
TensorView slice_at(const TensorView& x, int32_t axis, int64_t index) {
    TensorView slice = x;
    slice.data = element(x, index * x.strides[axis]);
    slice.rank = x.rank - 1;
    for (int32_t i = axis; i < slice.rank; ++i) {
        slice.shape[i] = x.shape[i + 1];
        slice.strides[i] = x.strides[i + 1];
    }
    return slice;
}

}  // namespace

// x [.., D, ..], index [n] -> out [.., n, ..]
void index_select(const OpCall& call, const AxisParams& params) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    const int32_t axis = static_cast<int32_t>(params.axis);
    if (axis < 0 || axis >= x.rank || index.rank != 1 || x.dtype != out.dtype ||
        out.shape[axis] != index.shape[0]) {
        fail("needs x [.., D, ..] and index [n]");
    }
    const int64_t bytes_per_slice =
        element_count(slice_at(out, axis, 0)) * static_cast<int64_t>(item_size(x.dtype));
    if (bytes_per_slice == 0) return;
    const int64_t per_task = std::max<int64_t>(1, 65536 / bytes_per_slice);
    const int64_t n = index.shape[0];
    parallel_for((n + per_task - 1) / per_task, [&](int64_t task) {
        for (int64_t i = task * per_task; i < std::min(n, (task + 1) * per_task); ++i) {
            const TensorView from = slice_at(x, axis, read_index(index, i, x.shape[axis])),
                             to = slice_at(out, axis, i);
            if (is_row_major(from) && is_row_major(to)) {
                std::memcpy(to.data, from.data, static_cast<size_t>(bytes_per_slice));
            } else {
                copy({1, 1, 1, &from, &to, nullptr}, {});
            }
        }
    });
}

}  // namespace nativegrad::cpu
