// Rows along one axis of up to three operands of one shape.
#pragma once

#include "backend/error.h"
#include "kernels/packs.h"
#include "kernels/strided.h"

namespace nativegrad::cuda {

// Plain data: a parameter of kernels. Operand 0 is the output.
struct AxisWalk {
    StridedAxes<3> rows;  // the axes beside this one
    int64_t count, length, steps[3];
    bool packs;    // rows lie in aligned memory without gaps
    bool columns;  // neighbouring lanes take neighbouring rows

    static AxisWalk of(const TensorView& out, const TensorView& a, const TensorView& b, int64_t axis) {
        if (axis < 0 || axis >= out.rank) fail("axis %d of rank %d", static_cast<int>(axis), out.rank);
        TensorView views[3] = {out, a, b};
        for (TensorView& view : views) {
            if (view.rank != out.rank) fail("operands differ in shape");
            for (int32_t i = 0; i < out.rank; ++i)
                if (view.shape[i] != out.shape[i]) fail("operands differ in shape");
        }
        for (TensorView& view : views) drop(view, static_cast<int32_t>(axis));
        AxisWalk walk{StridedAxes<3>({&views[0], &views[1], &views[2]}),
                      element_count(views[0]),
                      out.shape[axis],
                      {out.strides[axis], a.strides[axis], b.strides[axis]},
                      false,
                      false};
        walk.packs = walk.has_packs({out.data, a.data, b.data});
        walk.columns = walk.length <= 4 * row_pack || (walk.steps[0] != 1 && walk.count > 1);
        return walk;
    }

  private:
    static void drop(TensorView& view, int32_t axis) {
        for (int32_t i = axis; i + 1 < view.rank; ++i) {
            view.shape[i] = view.shape[i + 1];
            view.strides[i] = view.strides[i + 1];
        }
        --view.rank;
    }

    bool has_packs(const void* const (&data)[3]) const {
        for (int op = 0; op < 3; ++op) {
            if (steps[op] != 1 || !is_aligned(data[op], 16)) return false;
            for (int32_t i = 0; i < rows.rank; ++i)
                if (rows.shape[i] != 1 && rows.strides[op][i] % row_pack != 0) return false;
        }
        return true;
    }
};

}  // namespace nativegrad::cuda
