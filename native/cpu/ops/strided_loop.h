// Walks operands of one shape (strides may be 0) as few, long inner runs, split over the thread pool by shape
// alone.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/thread_pool.h"
#include "tensor/strided_axes.h"

namespace nativegrad::cpu {

template <int operands>
struct StridedLoop : StridedAxes<operands> {
    using StridedAxes<operands>::StridedAxes;
    using StridedAxes<operands>::rank;
    using StridedAxes<operands>::shape;
    using StridedAxes<operands>::strides;

    int64_t inner() const { return shape[rank - 1]; }
    int64_t inner_stride(int op) const { return strides[op][rank - 1]; }

    // body(offsets[operands], n): n elements from these element offsets, at inner_stride.
    template <class Body>
    void run(const Body& body, int64_t elements_per_task = 16384) const {
        int64_t rows = 1;
        for (int32_t axis = 0; axis + 1 < rank; ++axis) rows *= shape[axis];
        if (rows == 0 || inner() == 0) return;
        const int64_t piece = std::min(inner(), elements_per_task);
        const int64_t pieces_per_row = (inner() + piece - 1) / piece;
        const int64_t pieces = rows * pieces_per_row;
        const int64_t pieces_per_task = std::max<int64_t>(1, elements_per_task / piece);
        const int64_t tasks = (pieces + pieces_per_task - 1) / pieces_per_task;
        parallel_for(tasks, [&](int64_t task) {
            const int64_t end = std::min(pieces, (task + 1) * pieces_per_task);
            for (int64_t index = task * pieces_per_task; index < end; ++index) {
                const int64_t start = index % pieces_per_row * piece;
                int64_t offsets[operands];
                locate(index / pieces_per_row, start, offsets);
                body(offsets, std::min(piece, inner() - start));
            }
        });
    }

  private:
    void locate(int64_t row, int64_t start, int64_t* offsets) const {
        for (int op = 0; op < operands; ++op) offsets[op] = start * inner_stride(op);
        for (int32_t axis = rank - 2; axis >= 0; --axis) {
            const int64_t index = row % shape[axis];
            row /= shape[axis];
            for (int op = 0; op < operands; ++op) offsets[op] += index * strides[op][axis];
        }
    }
};

}  // namespace nativegrad::cpu
