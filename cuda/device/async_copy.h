// cp.async: global to shared memory without a register between. The bytes are there after async_copy_wait()
// in the lane that copied, and after a barrier behind that for the others. Before sm_80 the copy is an
// ordinary one.
#pragma once

#include "device/platform.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM

namespace sim {
void async_copy(void* shared, const void* global, int bytes, int valid_bytes);
void async_copy_commit();
void async_copy_wait(int groups_left);
}  // namespace sim

// bytes: 4, 8 or 16, both addresses aligned to it.
template <int bytes>
void async_copy(void* shared, const void* global) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async moves 4, 8 or 16 bytes");
    sim::async_copy(shared, global, bytes, bytes);
}
// Writes zeros where `valid` is false; `global` is not read then.
template <int bytes>
void async_copy_or_zero(void* shared, const void* global, bool valid) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async moves 4, 8 or 16 bytes");
    sim::async_copy(shared, global, bytes, valid ? bytes : 0);
}
// Closes a group of the copies since the last commit.
inline void async_copy_commit() { sim::async_copy_commit(); }
// Waits until at most `groups_left` of the newest groups are under way.
template <int groups_left>
void async_copy_wait() {
    sim::async_copy_wait(groups_left);
}

#elif defined(__CUDACC__)

namespace detail {
__device__ __forceinline__ uint32_t shared_address(const void* shared) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}
}  // namespace detail

template <int bytes>
__device__ __forceinline__ void async_copy_or_zero(void* shared, const void* global, bool valid) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async moves 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
    const int valid_bytes = valid ? bytes : 0;
    if constexpr (bytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(detail::shared_address(shared)),
                     "l"(global), "r"(valid_bytes)
                     : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(detail::shared_address(shared)),
                     "l"(global), "n"(bytes), "r"(valid_bytes)
                     : "memory");
    }
#else
    for (int i = 0; i < bytes / 4; ++i) {
        static_cast<uint32_t*>(shared)[i] = valid ? static_cast<const uint32_t*>(global)[i] : 0u;
    }
#endif
}
template <int bytes>
__device__ __forceinline__ void async_copy(void* shared, const void* global) {
    async_copy_or_zero<bytes>(shared, global, true);
}
__device__ __forceinline__ void async_copy_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int groups_left>
__device__ __forceinline__ void async_copy_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(groups_left) : "memory");
#endif
}

#endif

}  // namespace nativegrad::cuda
