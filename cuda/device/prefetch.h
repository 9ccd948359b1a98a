// prefetch_l2(from, bytes): asks for memory that is read later; address and size are multiples of 16 bytes.
#pragma once

#include "device/memory.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM

inline void prefetch_l2(const void* from, int bytes) {
    for (int at = 0; at < bytes; at += 16) sim::check_read(static_cast<const char*>(from) + at, 16);
}

#elif defined(__CUDACC__)

__device__ __forceinline__ void prefetch_l2(const void* from, int bytes) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(__cvta_generic_to_global(from)),
                 "r"(bytes));
#endif
}

#endif

}  // namespace nativegrad::cuda
