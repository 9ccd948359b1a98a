// A warp or a whole block as the lanes of one row.
#pragma once

#include "device/device.h"

namespace nativegrad::cuda {

constexpr int group_threads = 256;

// The group that this lane is in, of `lanes` (warp_size, or the block's threads).
struct Group {
    int lanes, member;
    int64_t index;

    __device__ __forceinline__ explicit Group(int of_lanes)
        : lanes(of_lanes),
          member(thread_index() % of_lanes),
          index(int64_t{block_index()} * (thread_count() / of_lanes) + thread_index() / of_lanes) {}

    // All lanes of the block come here, in groups without a row too. parts [block_reduce_parts] is shared.
    template <class T, class Combine>
    __device__ __forceinline__ T reduce(T value, Combine combine, T identity, T* parts) const {
        if (lanes == warp_size) return warp_reduce(value, combine);
        return block_reduce(value, combine, identity, parts);
    }
};

// Blocks of groups for `rows` rows.
inline Grid group_grid(int64_t rows, int lanes, size_t shared) {
    return {blocks_for(rows, group_threads / lanes), group_threads, shared};
}

}  // namespace nativegrad::cuda
