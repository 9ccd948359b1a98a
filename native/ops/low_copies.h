// Copies of parameters in 16 bits, which an update writes by the way: what products read in the next step.
//
// With `casts`, each group of an update has one tensor more behind the state: float16 or bfloat16 in the
// order of the parameter, or the parameter once more where it has no copy.
#pragma once

#include "ops/cast_checks.h"

namespace nativegrad {

inline bool has_low_copy(const TensorView& low) { return is_low_precision(low.dtype); }

inline void check_low_copy(const TensorView& parameter, const TensorView& low) {
    const bool is_copy =
        has_low_copy(low) && parameter.dtype == DType::float32 && have_one_order(parameter, low);
    if (!is_copy && low.data != parameter.data)
        fail("a copy of a parameter must be float16 or bfloat16, in the order of a float32 parameter");
}

}  // namespace nativegrad
