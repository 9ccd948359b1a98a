// The axes of a reduction, split into those that stay and those that go.
#pragma once

#include "backend/error.h"
#include "kernels/packs.h"
#include "kernels/strided.h"
#include "ops/op_params.h"

namespace nativegrad::cuda {

// Plain data: a parameter of the kernels. Strides are in elements.
struct ReducePlan {
    StridedAxes<2> kept;     // of x and of the output, in the memory order of x
    StridedAxes<2> reduced;  // operand 1 is x; operand 0 decides the order
    int64_t outputs, count;

    // `ordered`: the reduced elements keep their logical order, for ops that number them. The output is dense
    // in row-major order.
    static ReducePlan of(const TensorView& x, const IntList& axes, bool ordered) {
        bool goes[max_rank] = {};
        for (int32_t i = 0; i < axes.count; ++i) {
            if (axes.values[i] < 0 || axes.values[i] >= x.rank)
                fail("axis %lld of rank %d", static_cast<long long>(axes.values[i]), x.rank);
            goes[axes.values[i]] = true;
        }
        TensorView parts[2] = {x, x};
        parts[0].rank = parts[1].rank = 0;
        for (int32_t axis = 0; axis < x.rank; ++axis) {
            TensorView& part = parts[goes[axis] ? 1 : 0];
            part.shape[part.rank] = x.shape[axis];
            part.strides[part.rank++] = x.strides[axis];
        }
        TensorView out = parts[0], order = parts[1];
        set_row_major_strides(out);
        if (ordered) set_row_major_strides(order);
        return {StridedAxes<2>({&parts[0], &out}), StridedAxes<2>({&order, &parts[1]}),
                element_count(parts[0]), element_count(parts[1])};
    }

    // Neighbouring outputs lie side by side in x, neighbouring elements of one output do not.
    bool is_columns() const {
        return kept.strides[0][kept.rank - 1] == 1 && kept.shape[kept.rank - 1] > 1 &&
               !(count == 1 || reduced.strides[1][reduced.rank - 1] == 1);
    }

    // Packs of elements of one output lie in aligned memory.
    bool has_packs(const void* data) const {
        if (reduced.strides[1][reduced.rank - 1] != 1 || !is_aligned(data, 16)) return false;
        if (reduced.rank > 1 && reduced.shape[reduced.rank - 1] % row_pack != 0) return false;
        for (int32_t i = 0; i + 1 < reduced.rank; ++i)
            if (reduced.strides[1][i] % row_pack != 0) return false;
        for (int32_t i = 0; i < kept.rank; ++i)
            if (kept.shape[i] != 1 && kept.strides[0][i] % row_pack != 0) return false;
        return true;
    }
};

}  // namespace nativegrad::cuda
