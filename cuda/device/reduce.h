// Sums and maxima of a warp and of a block. The order of additions depends on the number of lanes alone, so
// the bits repeat, and every lane gets the same ones.
#pragma once

#include "device/maths.h"
#include "device/shared.h"
#include "device/warp.h"

namespace nativegrad::cuda {

struct AddOf {
    template <class T>
    __device__ __forceinline__ T operator()(T a, T b) const {
        return a + b;
    }
};
// NaN wins, as everywhere in the library.
struct MaxOf {
    template <class T>
    __device__ __forceinline__ T operator()(T a, T b) const {
        return a != a || a > b ? a : b;
    }
};
struct MinOf {
    template <class T>
    __device__ __forceinline__ T operator()(T a, T b) const {
        return a != a || a < b ? a : b;
    }
};

#ifdef NATIVEGRAD_KERNEL_CODE
// All 32 lanes take part and get the result.
template <class T, class Combine>
__device__ __forceinline__ T warp_reduce(T value, Combine combine) {
    for (int step = warp_size / 2; step > 0; step /= 2) value = combine(value, shuffle_xor(value, step));
    return value;
}

// Shared elements that block_reduce takes from the arena.
constexpr int block_reduce_parts = 32;

// All lanes of the block take part (a multiple of 32) and get the result. parts [block_reduce_parts] may be
// used again by the next block_reduce at once; `identity` does not change what it is combined with.
template <class T, class Combine>
__device__ __forceinline__ T block_reduce(T value, Combine combine, T identity, T* parts) {
    value = warp_reduce(value, combine);
    if (lane_index() == 0) parts[warp_index()] = value;
    block_barrier();
    value = lane_index() < warp_count() ? parts[lane_index()] : identity;
    value = warp_reduce(value, combine);
    block_barrier();
    return value;
}

#endif

}  // namespace nativegrad::cuda
