// Shared memory: every lane takes the same parts, in the same order, from the one arena that the launch gave
// the block. The parts are plain pointers. What nobody wrote must not be read.
#pragma once

#include "device/platform.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM
namespace sim {
// The block's arena; checks that the part lies inside of it and that all lanes take the same.
unsigned char* take_shared(size_t offset, size_t bytes);
}  // namespace sim
#elif defined(__CUDACC__)
namespace detail {
__device__ __forceinline__ unsigned char* shared_arena() {
    extern __shared__ __align__(128) unsigned char nativegrad_shared_arena[];
    return nativegrad_shared_arena;
}
}  // namespace detail
#endif

// Parts begin at multiples of 16 bytes.
__host__ __device__ constexpr size_t shared_part_bytes(size_t bytes) { return (bytes + 15) / 16 * 16; }

// The bytes of a part, for the launch: shared_bytes<float>(32) + shared_bytes<Float16>(64 * 72).
template <class T>
__host__ __device__ constexpr size_t shared_bytes(size_t count) {
    return shared_part_bytes(count * sizeof(T));
}

#ifdef NATIVEGRAD_KERNEL_CODE
class SharedArena {
  public:
    template <class T>
    __device__ __forceinline__ T* take(size_t count) {
        const size_t bytes = shared_bytes<T>(count), offset = used_;
        used_ += bytes;
#ifdef NATIVEGRAD_SIM
        return reinterpret_cast<T*>(sim::take_shared(offset, bytes));
#elif defined(__CUDACC__)
        return reinterpret_cast<T*>(detail::shared_arena() + offset);
#endif
    }

    // A place to come back to, for parts that lie over earlier ones; a block_barrier() must stand between
    // their uses.
    __device__ __forceinline__ size_t mark() const { return used_; }
    __device__ __forceinline__ void rewind(size_t mark) { used_ = mark; }

  private:
    size_t used_ = 0;
};

#endif

}  // namespace nativegrad::cuda
