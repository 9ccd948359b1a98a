// Pooling over channels that lie side by side. A window is a list of taps: pointers to the channels of one
// pixel each. Several windows with the same taps follow each other at a fixed distance.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct PoolKernels {
    // y[p, c] = largest of taps[k][p * step + c], index[p, c] = ids[k] of it: the first at ties, NaN wins
    void (*max)(const float* const* taps, const int32_t* ids, int64_t tap_count, int64_t windows,
                int64_t step, int64_t channels, float* y, uint8_t* index);
    // For each tap of each window: dx[taps[k] + p * step + c] = dy[p, c] where index[p, c] is ids[k], else 0.
    // accumulate: adds instead, for windows that overlap.
    void (*max_backward)(const float* dy, const uint8_t* index, const int32_t* ids, int64_t tap_count,
                         int64_t windows, int64_t step, int64_t channels, float* const* taps,
                         bool accumulate);
};

}  // namespace nativegrad::cpu
