// The instrumentation of kernel sources (access.cpp) also takes the atomics of their host code, such as
// reference counts: here they are what they were.
#include <cstdint>

#define NATIVEGRAD_HOOK extern "C" __attribute__((visibility("hidden")))

#define NATIVEGRAD_FETCH(bits, T, name)                                                 \
    NATIVEGRAD_HOOK T __tsan_atomic##bits##_fetch_##name(volatile T* p, T value, int) { \
        return __atomic_fetch_##name(p, value, __ATOMIC_SEQ_CST);                       \
    }

#define NATIVEGRAD_ATOMICS(bits, T)                                                                        \
    NATIVEGRAD_HOOK T __tsan_atomic##bits##_load(const volatile T* p, int) {                               \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                       \
    }                                                                                                      \
    NATIVEGRAD_HOOK void __tsan_atomic##bits##_store(volatile T* p, T value, int) {                        \
        __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                      \
    }                                                                                                      \
    NATIVEGRAD_HOOK T __tsan_atomic##bits##_exchange(volatile T* p, T value, int) {                        \
        return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                            \
    }                                                                                                      \
    NATIVEGRAD_HOOK int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T value, \
                                                                      int, int) {                          \
        return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }                                                                                                      \
    NATIVEGRAD_HOOK int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T value,   \
                                                                    int, int) {                            \
        return __atomic_compare_exchange_n(p, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }                                                                                                      \
    NATIVEGRAD_FETCH(bits, T, add)                                                                         \
    NATIVEGRAD_FETCH(bits, T, sub)                                                                         \
    NATIVEGRAD_FETCH(bits, T, and)                                                                         \
    NATIVEGRAD_FETCH(bits, T, or)                                                                          \
    NATIVEGRAD_FETCH(bits, T, xor)

NATIVEGRAD_ATOMICS(8, uint8_t)
NATIVEGRAD_ATOMICS(16, uint16_t)
NATIVEGRAD_ATOMICS(32, uint32_t)
NATIVEGRAD_ATOMICS(64, uint64_t)

NATIVEGRAD_HOOK void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
NATIVEGRAD_HOOK void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
