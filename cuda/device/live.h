// An argument of a kernel that may change from step to step of a captured program: a number of its own, or a
// place in memory of the device that is written anew before each step.
#pragma once

#include <type_traits>

#include "device/platform.h"

namespace nativegrad::cuda {

template <class T>
struct Live {
    static_assert(std::is_trivially_copyable_v<T>, "it travels as bytes");

    T value;
    const T* place;  // null: `value` itself

#ifdef NATIVEGRAD_KERNEL_CODE
    // Once, before a kernel's loops.
    // Not by ?:, which would want an address of `value`.
    __device__ __forceinline__ T get() const {
        if (place != nullptr) return *place;
        return value;
    }
#endif
};

}  // namespace nativegrad::cuda
