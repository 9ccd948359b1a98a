// prefetch_l2(from, bytes): asks for memory that is read later; address and size are multiples of 16 bytes.
#pragma once

#include "device/memory.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM

inline void prefetch_l2(const void* from, int bytes) {
    for (int at = 0; at < bytes; at += 16) sim::check_read(static_cast<const char*>(from) + at, 16);
}

#elif defined(__CUDACC__)

// A lane asks for its lines one by one, of 128 bytes. The bulk form of it takes one address a warp: where
// lanes have addresses of their own, it goes through them in a loop.
__device__ __forceinline__ void prefetch_l2(const void* from, int bytes) {
    const char* first = static_cast<const char*>(from);
    for (int at = 0; at < bytes; at += 128)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(first + at)));
    // What begins within a line ends in one more.
    asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(first + bytes - 1)));
}

#endif

}  // namespace nativegrad::cuda
