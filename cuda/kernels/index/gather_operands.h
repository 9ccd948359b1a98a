// What gather and scatter_add ask of their operands, in the words of the CPU.
#pragma once

#include "ops/operands.h"

namespace nativegrad::cuda {

inline void expect_gather_axis(const TensorView& index, int64_t axis) {
    if (axis < 0 || axis >= index.rank) fail("axis %d of rank %d", static_cast<int>(axis), index.rank);
}

inline void expect_same_sizes(const TensorView& a, const TensorView& b) {
    bool same = a.rank == b.rank;
    for (int32_t i = 0; same && i < a.rank; ++i) same = a.shape[i] == b.shape[i];
    if (!same) fail("operands differ in shape");
}

inline void expect_index_fits(const TensorView& index, const TensorView& view, int64_t axis,
                              const char* name) {
    bool fits = index.rank == view.rank && !is_float(index.dtype);
    for (int32_t i = 0; fits && i < index.rank; ++i) fits = i == axis || index.shape[i] <= view.shape[i];
    if (!fits) fail("needs integer indices that are no larger than %s beside the axis", name);
}

}  // namespace nativegrad::cuda
