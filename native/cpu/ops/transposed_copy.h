// A copy between two orders of the axes, as squares of vectors instead of single elements.
#pragma once

#include "cpu/ops/strided_loop.h"

namespace nativegrad::cpu {

// x [...] -> out [...] of float32 and shorter floats (loop: out, x); false, and nothing done, where the
// fastest axes are the same, or are too short or strided to gain.
bool copy_transposed(const StridedLoop<2>& loop, const TensorView& x, const TensorView& out);

}  // namespace nativegrad::cpu
