// Rows along one axis of a tensor, read into dense buffers of the compute type.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/error.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

struct AxisRows {
    int64_t count = 1;   // rows: the product of the other dimensions of `shape`
    int64_t length = 0;  // of the axis in `shape`
    int32_t axis, rank;
    int64_t sizes[max_rank];

    // Views that are used with these rows have `shape`'s rank, and its sizes or larger ones beside the axis.
    AxisRows(const TensorView& shape, int64_t along) : axis(static_cast<int32_t>(along)), rank(shape.rank) {
        if (along < 0 || along >= shape.rank) fail("axis %d of rank %d", axis, shape.rank);
        for (int32_t i = 0; i < rank; ++i) {
            sizes[i] = shape.shape[i];
            if (i == axis) {
                length = sizes[i];
            } else {
                count *= sizes[i];
            }
        }
    }

    int64_t offset(const TensorView& view, int64_t row) const {
        int64_t result = 0;
        for (int32_t i = rank - 1; i >= 0; --i) {
            if (i == axis) continue;
            result += row % sizes[i] * view.strides[i];
            row /= sizes[i];
        }
        return result;
    }

    // The view's own length along the axis is read and written.
    template <class T>
    void read(const TensorView& view, int64_t row, T* out) const {
        load_block(view.dtype, element(view, offset(view, row)), view.strides[axis], view.shape[axis], out);
    }
    template <class T>
    void write(const TensorView& view, int64_t row, const T* in) const {
        store_block(view.dtype, element(view, offset(view, row)), view.strides[axis], view.shape[axis], in);
    }

    // body(row, buffer) with `elements` of T in the buffer
    template <class T, class Body>
    void each(int64_t elements, const Body& body) const {
        const int64_t per_task = std::max<int64_t>(1, 8192 / std::max<int64_t>(elements, 1));
        parallel_for((count + per_task - 1) / per_task, [&](int64_t task) {
            const WorkBuffer<T> memory(elements);
            const int64_t end = std::min(count, (task + 1) * per_task);
            for (int64_t row = task * per_task; row < end; ++row) body(row, memory.data());
        });
    }
};

inline void expect_same_shape(const TensorView& a, const TensorView& b) {
    bool same = a.rank == b.rank;
    for (int32_t i = 0; same && i < a.rank; ++i) same = a.shape[i] == b.shape[i];
    if (!same) fail("operands differ in shape");
}

}  // namespace nativegrad::cpu
