// AddressSanitizer, where the build has it; nothing otherwise.
#pragma once

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace nativegrad::cuda::sim {

#ifdef __SANITIZE_ADDRESS__
// Kernels are then compiled for AddressSanitizer, which takes the place of the access hooks.
constexpr bool with_asan = true;
inline void poison_for_asan(void* data, size_t bytes) { __asan_poison_memory_region(data, bytes); }
inline void unpoison_for_asan(void* data, size_t bytes) { __asan_unpoison_memory_region(data, bytes); }
#else
constexpr bool with_asan = false;
inline void poison_for_asan(void*, size_t) {}
inline void unpoison_for_asan(void*, size_t) {}
#endif

}  // namespace nativegrad::cuda::sim
