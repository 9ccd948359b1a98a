// Wide and cached accesses to memory. A pointer to a Pack must be aligned to the pack's size: is_aligned()
// tells.
#pragma once

#include "device/platform.h"

namespace nativegrad::cuda {

// `width` elements that move in one instruction (16 bytes at most).
template <class T, int width>
struct alignas(sizeof(T) * width) Pack {
    static_assert(sizeof(T) * width <= 16, "one instruction moves at most 16 bytes");
    T values[width];
    __host__ __device__ T& operator[](int i) { return values[i]; }
    __host__ __device__ const T& operator[](int i) const { return values[i]; }
};

// How many elements fill 16 bytes.
template <class T>
constexpr int pack_width = static_cast<int>(16 / sizeof(T));

__host__ __device__ inline bool is_aligned(const void* pointer, size_t bytes) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

#ifdef NATIVEGRAD_SIM

namespace sim {
// Each throws (in the lane) where the address is not of device or shared memory, or not aligned.
void check_read(const void* address, size_t bytes);
void check_write(void* address, size_t bytes);
}  // namespace sim

template <int width, class T>
Pack<T, width> load_pack(const T* from) {
    sim::check_read(from, sizeof(Pack<T, width>));
    return *reinterpret_cast<const Pack<T, width>*>(from);
}
template <int width, class T>
void store_pack(T* to, const Pack<T, width>& pack) {
    sim::check_write(to, sizeof pack);
    *reinterpret_cast<Pack<T, width>*>(to) = pack;
}
// Through the read-only cache: nobody may write there while the kernel runs.
template <class T>
T load_constant(const T* from) {
    return *from;
}

#elif defined(__CUDACC__)

namespace detail {
template <size_t bytes>
struct Word;
template <>
struct Word<1> {
    using type = unsigned char;
};
template <>
struct Word<2> {
    using type = unsigned short;
};
template <>
struct Word<4> {
    using type = unsigned;
};
template <>
struct Word<8> {
    using type = uint2;
};
template <>
struct Word<16> {
    using type = uint4;
};
}  // namespace detail

template <int width, class T>
__device__ __forceinline__ Pack<T, width> load_pack(const T* from) {
    using Word = typename detail::Word<sizeof(Pack<T, width>)>::type;
    const Word word = *reinterpret_cast<const Word*>(from);
    Pack<T, width> pack;
    memcpy(&pack, &word, sizeof pack);
    return pack;
}
template <int width, class T>
__device__ __forceinline__ void store_pack(T* to, const Pack<T, width>& pack) {
    using Word = typename detail::Word<sizeof(Pack<T, width>)>::type;
    Word word;
    memcpy(&word, &pack, sizeof pack);
    *reinterpret_cast<Word*>(to) = word;
}
template <class T>
__device__ __forceinline__ T load_constant(const T* from) {
    using Word = typename detail::Word<sizeof(T)>::type;
    const Word word = __ldg(reinterpret_cast<const Word*>(from));
    T value;
    memcpy(&value, &word, sizeof value);
    return value;
}

#endif

}  // namespace nativegrad::cuda
