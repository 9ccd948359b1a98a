// Atomics on global and shared memory; each returns the value before. Sums of floats by atomics depend on the
// order of the lanes: kernels whose bits must repeat do not use them.
#pragma once

#include "device/platform.h"

namespace nativegrad::cuda {

#ifdef NATIVEGRAD_SIM

namespace sim {
// Checks the address and tells the shadow memory that this access is atomic.
void check_atomic(void* address, size_t bytes);
}  // namespace sim

// One lane runs at a time, so plain code is atomic.
template <class T>
__attribute__((no_sanitize("thread"))) T atomic_add(T* to, T value) {
    sim::check_atomic(to, sizeof(T));
    const T old = *to;
    *to = static_cast<T>(old + value);
    return old;
}
template <class T>
__attribute__((no_sanitize("thread"))) T atomic_max(T* to, T value) {
    sim::check_atomic(to, sizeof(T));
    const T old = *to;
    if (value > old) *to = value;
    return old;
}
template <class T>
__attribute__((no_sanitize("thread"))) T atomic_min(T* to, T value) {
    sim::check_atomic(to, sizeof(T));
    const T old = *to;
    if (value < old) *to = value;
    return old;
}
template <class T>
__attribute__((no_sanitize("thread"))) T atomic_or(T* to, T value) {
    sim::check_atomic(to, sizeof(T));
    const T old = *to;
    *to = old | value;
    return old;
}
template <class T>
__attribute__((no_sanitize("thread"))) T atomic_exchange(T* to, T value) {
    sim::check_atomic(to, sizeof(T));
    const T old = *to;
    *to = value;
    return old;
}
template <class T>
__attribute__((no_sanitize("thread"))) T atomic_cas(T* to, T expected, T value) {
    sim::check_atomic(to, sizeof(T));
    const T old = *to;
    if (old == expected) *to = value;
    return old;
}

#elif defined(__CUDACC__)

namespace detail {
// CUDA has its atomics for (unsigned) int and long long; int64_t is a plain long on Linux.
template <class T>
struct AtomicType {
    using type = T;
};
template <>
struct AtomicType<long> {
    using type = long long;
};
template <>
struct AtomicType<unsigned long> {
    using type = unsigned long long;
};
template <class T>
__device__ __forceinline__ typename AtomicType<T>::type* atomic_address(T* to) {
    return reinterpret_cast<typename AtomicType<T>::type*>(to);
}
template <class T>
using Atomic = typename AtomicType<T>::type;
}  // namespace detail

// float, double, int32_t, uint32_t, uint64_t
template <class T>
__device__ __forceinline__ T atomic_add(T* to, T value) {
    return static_cast<T>(atomicAdd(detail::atomic_address(to), static_cast<detail::Atomic<T> >(value)));
}
// Two's complement makes the unsigned sum the signed one.
template <>
__device__ __forceinline__ int64_t atomic_add<int64_t>(int64_t* to, int64_t value) {
    return static_cast<int64_t>(
        atomicAdd(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(value)));
}
// Integers only.
template <class T>
__device__ __forceinline__ T atomic_max(T* to, T value) {
    return static_cast<T>(atomicMax(detail::atomic_address(to), static_cast<detail::Atomic<T> >(value)));
}
template <class T>
__device__ __forceinline__ T atomic_min(T* to, T value) {
    return static_cast<T>(atomicMin(detail::atomic_address(to), static_cast<detail::Atomic<T> >(value)));
}
template <class T>
__device__ __forceinline__ T atomic_or(T* to, T value) {
    return static_cast<T>(atomicOr(detail::atomic_address(to), static_cast<detail::Atomic<T> >(value)));
}
// uint32_t, int32_t, uint64_t
template <class T>
__device__ __forceinline__ T atomic_exchange(T* to, T value) {
    return static_cast<T>(atomicExch(detail::atomic_address(to), static_cast<detail::Atomic<T> >(value)));
}
template <class T>
__device__ __forceinline__ T atomic_cas(T* to, T expected, T value) {
    using Atomic = detail::Atomic<T>;
    return static_cast<T>(
        atomicCAS(detail::atomic_address(to), static_cast<Atomic>(expected), static_cast<Atomic>(value)));
}

#endif

}  // namespace nativegrad::cuda
