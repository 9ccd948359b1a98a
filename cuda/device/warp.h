// Meetings of a warp and of a block. `mask` names the lanes of the warp that take part: each of them must
// call the same function with the same mask, and a shuffle may only read from one of them.
#pragma once

#include <cstring>

#include "device/index.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM

namespace sim {
enum class Shuffle { index, up, down, exclusive_or };
uint64_t shuffle_bits(Shuffle kind, uint64_t value, int argument, uint32_t mask, int width, Site site);
uint32_t ballot_bits(bool value, uint32_t mask, Site site);

template <class T>
T shuffle_value(Shuffle kind, T value, int argument, uint32_t mask, int width, Site site) {
    static_assert(sizeof(T) <= 8, "shuffles move 1 to 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = shuffle_bits(kind, bits, argument, mask, width, site);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
}  // namespace sim

// All lanes of the block; orders what they did to shared and global memory before.
void block_barrier(Site site = Site::here());
// The lanes of the mask; orders what they did to memory before. Shuffles and votes order nothing.
void warp_barrier(uint32_t mask = full_warp, Site site = Site::here());
// Orders this lane's writes before its later ones, for other blocks to see.
void memory_fence();

template <class T>
T shuffle(T value, int source, uint32_t mask = full_warp, int width = warp_size, Site site = Site::here()) {
    return sim::shuffle_value(sim::Shuffle::index, value, source, mask, width, site);
}
template <class T>
T shuffle_up(T value, int delta, uint32_t mask = full_warp, int width = warp_size, Site site = Site::here()) {
    return sim::shuffle_value(sim::Shuffle::up, value, delta, mask, width, site);
}
template <class T>
T shuffle_down(T value, int delta, uint32_t mask = full_warp, int width = warp_size,
               Site site = Site::here()) {
    return sim::shuffle_value(sim::Shuffle::down, value, delta, mask, width, site);
}
template <class T>
T shuffle_xor(T value, int bits, uint32_t mask = full_warp, int width = warp_size, Site site = Site::here()) {
    return sim::shuffle_value(sim::Shuffle::exclusive_or, value, bits, mask, width, site);
}

inline uint32_t ballot(bool value, uint32_t mask = full_warp, Site site = Site::here()) {
    return sim::ballot_bits(value, mask, site);
}
inline bool any(bool value, uint32_t mask = full_warp, Site site = Site::here()) {
    return sim::ballot_bits(value, mask, site) != 0;
}
inline bool all(bool value, uint32_t mask = full_warp, Site site = Site::here()) {
    return sim::ballot_bits(value, mask, site) == mask;
}

inline int count_bits(uint32_t bits) { return __builtin_popcount(bits); }
// The place of the lowest bit that is set, or -1.
inline int lowest_bit(uint32_t bits) { return bits == 0 ? -1 : __builtin_ctz(bits); }

#elif defined(__CUDACC__)

__device__ __forceinline__ void block_barrier() { __syncthreads(); }
__device__ __forceinline__ void warp_barrier(uint32_t mask = full_warp) { __syncwarp(mask); }
__device__ __forceinline__ void memory_fence() { __threadfence(); }

namespace detail {
// Storage types travel as the integer of their bits.
template <size_t bytes>
struct Carrier {
    using type = unsigned;
};
template <>
struct Carrier<8> {
    using type = unsigned long long;
};

template <class T>
__device__ __forceinline__ typename Carrier<sizeof(T)>::type to_carrier(T value) {
    typename Carrier<sizeof(T)>::type bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
}
template <class T>
__device__ __forceinline__ T from_carrier(typename Carrier<sizeof(T)>::type bits) {
    static_assert(sizeof(T) <= 8, "shuffles move 1 to 8 bytes");
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
}  // namespace detail

template <class T>
__device__ __forceinline__ T shuffle(T value, int source, uint32_t mask = full_warp, int width = warp_size) {
    return detail::from_carrier<T>(__shfl_sync(mask, detail::to_carrier(value), source, width));
}
template <class T>
__device__ __forceinline__ T shuffle_up(T value, int delta, uint32_t mask = full_warp,
                                        int width = warp_size) {
    return detail::from_carrier<T>(__shfl_up_sync(mask, detail::to_carrier(value), delta, width));
}
template <class T>
__device__ __forceinline__ T shuffle_down(T value, int delta, uint32_t mask = full_warp,
                                          int width = warp_size) {
    return detail::from_carrier<T>(__shfl_down_sync(mask, detail::to_carrier(value), delta, width));
}
template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int bits, uint32_t mask = full_warp,
                                         int width = warp_size) {
    return detail::from_carrier<T>(__shfl_xor_sync(mask, detail::to_carrier(value), bits, width));
}

__device__ __forceinline__ uint32_t ballot(bool value, uint32_t mask = full_warp) {
    return __ballot_sync(mask, value);
}
__device__ __forceinline__ bool any(bool value, uint32_t mask = full_warp) { return __any_sync(mask, value); }
__device__ __forceinline__ bool all(bool value, uint32_t mask = full_warp) { return __all_sync(mask, value); }

__device__ __forceinline__ int count_bits(uint32_t bits) { return __popc(bits); }
__device__ __forceinline__ int lowest_bit(uint32_t bits) { return __ffs(bits) - 1; }

#endif

}  // namespace nativegrad::cuda
