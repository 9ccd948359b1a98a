// For functions that GPUs run, too: nvcc compiles what is marked for both sides, other compilers see nothing.
#pragma once

#ifdef __CUDACC__
#define NATIVEGRAD_HOST_DEVICE __host__ __device__
#else
#define NATIVEGRAD_HOST_DEVICE
#endif
