// What kernels on tensor cores share: the multiplication of fragments by dtype, and rows of a warp's sums.
#pragma once

#include <type_traits>

#include "device/device.h"

namespace nativegrad::cuda {

template <class Half>
__device__ __forceinline__ void multiply_fragments(FragmentC& sums, const FragmentA& a, const FragmentB& b) {
    if constexpr (std::is_same_v<Half, Float16>)
        mma_f16(sums, a, b);
    else
        mma_bf16(sums, a, b);
}

// Four pairs of a lane, of 8 columns each -> the eight neighbours of its column group, in the quad's order:
// lane t of a quad holds pair t of group j in r[j], and then pair j of group t.
__device__ __forceinline__ void turn_quad(uint32_t (&r)[4]) {
    const int t = lane_index() % 4;
#pragma unroll
    for (int step = 1; step < 4; step *= 2) {
        const bool high = (t & step) != 0;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if ((i & step) != 0) continue;
            const uint32_t got = shuffle_xor(high ? r[i] : r[i + step], step);
            if (high)
                r[i] = got;
            else
                r[i + step] = got;
        }
    }
}

}  // namespace nativegrad::cuda
