// Which of several tensors a block of a launch over all of them works on.
#pragma once

#include "device/device.h"

namespace nativegrad::cuda {

// first_block [count], rising from 0 -> the last one that is not behind this block
__device__ __forceinline__ int32_t group_of_block(const int32_t* first_block, int32_t count) {
    int32_t low = 0, high = count;
    while (high - low > 1) {
        const int32_t middle = (low + high) / 2;
        if (first_block[middle] <= block_index())
            low = middle;
        else
            high = middle;
    }
    return low;
}

}  // namespace nativegrad::cuda
