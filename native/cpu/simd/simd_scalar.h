// All of one instruction set, included inside its namespace. The order matters: each builds on the ones
// before.
#include "ops/double_math.h"

#include "cpu/simd/f32_scalar.h"

#include "cpu/simd/power_of_two.h"

#include "cpu/simd/vector_math.h"

#include "cpu/simd/f64_scalar.h"

#include "cpu/simd/transpose_scalar.h"
