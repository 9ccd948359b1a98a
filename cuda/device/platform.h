// The words of CUDA C++ that a kernel needs, for both compilers. A kernel source is compiled by nvcc for a
// GPU and by the host's C++17 compiler for the simulator; NATIVEGRAD_SIM tells them apart.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

// Host sources of the plugin may include these headers for their types; what only a kernel can call is not
// there then.
#if defined(NATIVEGRAD_SIM) || defined(__CUDACC__)
#define NATIVEGRAD_KERNEL_CODE 1
#endif

#ifndef __CUDACC__
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#endif

namespace nativegrad::cuda {

constexpr int warp_size = 32;
constexpr uint32_t full_warp = 0xffffffffu;

#ifdef NATIVEGRAD_SIM
// Where in the kernel's source a lane meets others; it is what the simulator's errors name.
struct Site {
    const char* file;
    int line;
    static Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
};
#endif

}  // namespace nativegrad::cuda
