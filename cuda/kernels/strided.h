// Element offsets of operands that are walked together (tensor/strided_axes.h).
#pragma once

#include "device/index.h"
#include "device/launch.h"
#include "tensor/strided_axes.h"

namespace nativegrad::cuda {

template <int operands>
struct Offsets {
    int64_t of[operands];
};

// Element offsets of element `linear` in the order of the axes. Divisions are by 32 bits where they can be:
// those by 64 take the GPU some forty instructions.
template <int operands>
__device__ __forceinline__ Offsets<operands> locate(const StridedAxes<operands>& axes, int64_t linear) {
    Offsets<operands> result;
    for (int op = 0; op < operands; ++op) result.of[op] = 0;
    for (int axis = axes.rank - 1; axis > 0; --axis) {
        const int64_t size = axes.shape[axis];
        int64_t rest;
        if (linear <= UINT32_MAX && size <= UINT32_MAX) {
            rest = static_cast<uint32_t>(linear) / static_cast<uint32_t>(size);
        } else {
            rest = linear / size;
        }
        const int64_t index = linear - rest * size;
        linear = rest;
        for (int op = 0; op < operands; ++op) result.of[op] += index * axes.strides[op][axis];
    }
    // What is left counts along the slowest axis.
    for (int op = 0; op < operands; ++op) result.of[op] += linear * axes.strides[op][0];
    return result;
}

constexpr int elementwise_threads = 256;

// A grid whose threads walk `count` elements in grid strides, `each` at a time.
inline Grid elementwise_grid(int64_t count, int64_t each = 1) {
    constexpr int64_t most_blocks = 1 << 20;
    const int64_t blocks = blocks_for(count, elementwise_threads, each);
    return {blocks < most_blocks ? blocks : most_blocks, elementwise_threads};
}

}  // namespace nativegrad::cuda
