#include <cstring>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/index_value.h"
#include "cpu/ops/operands.h"
#include "cpu/ops/strided_loop.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

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

// Slices of dy [O, n, I] into sums [O, D, I], both row-major. Each task owns some of the O and I, and goes
// through the indices in order: the sums do not depend on the threads.
template <class T>
void add_slices(const TensorView& dy, const TensorView& index, const TensorView& out, int32_t axis,
                int64_t skip) {
    int64_t outer = 1, inner = 1;
    for (int32_t i = 0; i < axis; ++i) outer *= out.shape[i];
    for (int32_t i = axis + 1; i < out.rank; ++i) inner *= out.shape[i];
    const int64_t size = out.shape[axis], n = index.shape[0];
    const WorkBuffer<int64_t> places(n);
    for (int64_t i = 0; i < n; ++i) places.data()[i] = read_index(index, i, size);
    const int64_t width = std::min<int64_t>(inner, 256), blocks = (inner + width - 1) / width;
    const int64_t per_task = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, n * width));
    parallel_for((outer * blocks + per_task - 1) / per_task, [&](int64_t task) {
        const int64_t end = std::min(outer * blocks, (task + 1) * per_task);
        for (int64_t block = task * per_task; block < end; ++block) {
            const int64_t first = block % blocks * width, count = std::min(width, inner - first);
            const T* from = static_cast<const T*>(dy.data) + block / blocks * n * inner + first;
            T* to = static_cast<T*>(out.data) + block / blocks * size * inner + first;
            for (int64_t i = 0; i < n; ++i) {
                const int64_t place = places.data()[i];
                if (place == skip) continue;
                for (int64_t k = 0; k < count; ++k) to[place * inner + k] += from[i * inner + k];
            }
        }
    });
}

}  // namespace

// dy [.., n, ..], index [n] -> out [.., D, ..]: the sum of the slices of dy with each index; float32 or
// float64, row-major
void index_add(const OpCall& call, const IndexAddParams& params) {
    expect_operands(call, 2, 1);
    const TensorView &dy = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    const int32_t axis = static_cast<int32_t>(params.axis);
    if (axis < 0 || axis >= out.rank || dy.rank != out.rank || index.rank != 1 || dy.dtype != out.dtype ||
        dy.shape[axis] != index.shape[0] || !is_row_major(dy) || !is_row_major(out)) {
        fail("needs dy [.., n, ..] and index [n]");
    }
    fill({1, 0, 1, nullptr, &out, nullptr}, FillParams{0});
    if (element_count(dy) == 0) return;
    if (out.dtype == DType::float32) return add_slices<float>(dy, index, out, axis, params.skip);
    if (out.dtype == DType::float64) return add_slices<double>(dy, index, out, axis, params.skip);
    fail("needs float32 or float64, got %s", dtype_name(out.dtype));
}

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
