// All of one instruction set, included inside its namespace.
#include "cpu/simd/f32_avx2.h"
#include "cpu/simd/map_lanes.h"
#include "cpu/simd/vector_math.h"
#include "ops/double_math.h"
