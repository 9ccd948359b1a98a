// Who am I: the place of a lane in its block and of the block in the grid. Blocks are one-dimensional.
#pragma once

#include "device/platform.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM
// Constant while a kernel's function runs: a lane keeps its place.
__attribute__((const)) int thread_index();
__attribute__((const)) int thread_count();
__attribute__((const)) int block_index();
__attribute__((const)) int block_index_y();
__attribute__((const)) int block_index_z();
__attribute__((const)) int block_count();
__attribute__((const)) int block_count_y();
__attribute__((const)) int block_count_z();
#elif defined(__CUDACC__)
__device__ __forceinline__ int thread_index() { return static_cast<int>(threadIdx.x); }
__device__ __forceinline__ int thread_count() { return static_cast<int>(blockDim.x); }
__device__ __forceinline__ int block_index() { return static_cast<int>(blockIdx.x); }
__device__ __forceinline__ int block_index_y() { return static_cast<int>(blockIdx.y); }
__device__ __forceinline__ int block_index_z() { return static_cast<int>(blockIdx.z); }
__device__ __forceinline__ int block_count() { return static_cast<int>(gridDim.x); }
__device__ __forceinline__ int block_count_y() { return static_cast<int>(gridDim.y); }
__device__ __forceinline__ int block_count_z() { return static_cast<int>(gridDim.z); }
#endif

#ifdef NATIVEGRAD_KERNEL_CODE
__device__ __forceinline__ int lane_index() { return thread_index() % warp_size; }
__device__ __forceinline__ int warp_index() { return thread_index() / warp_size; }
__device__ __forceinline__ int warp_count() { return (thread_count() + warp_size - 1) / warp_size; }

// Over all blocks along x: the start and the stride of a grid-stride loop.
__device__ __forceinline__ int64_t grid_thread_index() {
    return int64_t{block_index()} * thread_count() + thread_index();
}
__device__ __forceinline__ int64_t grid_thread_count() { return int64_t{block_count()} * thread_count(); }

#endif

}  // namespace nativegrad::cuda
