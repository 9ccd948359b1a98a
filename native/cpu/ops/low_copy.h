#pragma once

#include <algorithm>

#include "cpu/ops/block_io.h"
#include "ops/low_copies.h"

namespace nativegrad::cpu {

// elements [first, first + count) of x float32 -> the same ones of `low`, where that is in 16 bits
inline void write_low_copy(const TensorView& x, const TensorView& low, int64_t first, int64_t count) {
    if (!has_low_copy(low)) return;
    const auto item = static_cast<int64_t>(item_size(low.dtype));
    const float* from = static_cast<const float*>(x.data) + first;
    char* to = static_cast<char*>(low.data) + first * item;
    for (int64_t i = 0; i < count; i += block_size)
        store_block(low.dtype, to + i * item, 1, std::min(block_size, count - i), from + i);
}

}  // namespace nativegrad::cpu
