// Indices as ops read them from an integer tensor.
#pragma once

#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

// Entry i of index [n], which must lie in [0, size).
inline int64_t read_index(const TensorView& index, int64_t i, int64_t size) {
    int64_t value;
    load_block(index.dtype, element(index, i * index.strides[0]), 1, 1, &value);
    if (value < 0 || value >= size) {
        fail("index %lld at position %lld is outside [0, %lld)", static_cast<long long>(value),
             static_cast<long long>(i), static_cast<long long>(size));
    }
    return value;
}

}  // namespace nativegrad::cpu
