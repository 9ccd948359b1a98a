// All of one instruction set, included inside its namespace.
#include "cpu/simd/f32_scalar.h"
#include "cpu/simd/vector_math.h"
#include "ops/double_math.h"
