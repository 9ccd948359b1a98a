// Several neighbouring elements at a time, of a dtype that is known at run time: wide loads and stores
// without a kernel per dtype. The choice is the same in all lanes, and costs a few instructions for each
// pack.
#pragma once

#include "device/memory.h"
#include "kernels/values.h"

namespace nativegrad::cuda {

// Elements that kernels move at a time; 16-byte accesses for all dtypes but those of one byte.
constexpr int row_pack = 8;

template <class T>
constexpr ComputeClass class_of = std::is_same_v<T, float>    ? ComputeClass::f32
                                  : std::is_same_v<T, double> ? ComputeClass::f64
                                                              : ComputeClass::i64;

// True where load_row_pack<T> and store_row_pack<T> may be used for that dtype.
template <class T>
constexpr bool packs_as(DType dtype) {
    return compute_class(dtype) == class_of<T>;
}

template <class Stored>
constexpr int step_of_pack = pack_width<Stored> < row_pack ? pack_width<Stored> : row_pack;

// data[offset .. offset + 8), aligned to 16 bytes (8 of those of one byte)
template <class T>
__device__ __forceinline__ void load_row_pack(const void* data, DType dtype, int64_t offset,
                                              T (&values)[row_pack]) {
    switch (dtype) {
#define X(name, Stored, compute)                                                                  \
    case DType::name:                                                                             \
        if constexpr (ComputeClass::compute == class_of<T>) {                                     \
            constexpr int step = step_of_pack<Stored>;                                            \
            for (int i = 0; i < row_pack; i += step) {                                            \
                const auto pack = load_pack<step>(static_cast<const Stored*>(data) + offset + i); \
                for (int j = 0; j < step; ++j) values[i + j] = load_value<T>(pack[j]);            \
            }                                                                                     \
        }                                                                                         \
        return;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

template <class T>
__device__ __forceinline__ void store_row_pack(void* data, DType dtype, int64_t offset,
                                               const T (&values)[row_pack]) {
    switch (dtype) {
#define X(name, Stored, compute)                                                             \
    case DType::name:                                                                        \
        if constexpr (ComputeClass::compute == class_of<T>) {                                \
            constexpr int step = step_of_pack<Stored>;                                       \
            for (int i = 0; i < row_pack; i += step) {                                       \
                Pack<Stored, step> pack;                                                     \
                for (int j = 0; j < step; ++j) pack[j] = store_value<Stored>(values[i + j]); \
                store_pack(static_cast<Stored*>(data) + offset + i, pack);                   \
            }                                                                                \
        }                                                                                    \
        return;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

// Elements i .. i + 8 of a row of n that begins at `base`, `step` apart; `fill` behind the end. `packs`: the
// row begins at a multiple of 8 elements in aligned memory of T's class, without gaps.
template <class T>
__device__ __forceinline__ void load_chunk(const Source& source, int64_t base, int64_t step, int64_t i,
                                           int64_t n, bool packs, T fill, T (&values)[row_pack]) {
    if (packs && i + row_pack <= n) return load_row_pack(source.data, source.dtype, base + i, values);
    for (int k = 0; k < row_pack; ++k)
        values[k] = i + k < n ? load_as<T>(source, base + (i + k) * step) : fill;
}

template <class T>
__device__ __forceinline__ void store_chunk(void* data, DType dtype, int64_t base, int64_t step, int64_t i,
                                            int64_t n, bool packs, const T (&values)[row_pack]) {
    if (packs && i + row_pack <= n) return store_row_pack(data, dtype, base + i, values);
    for (int k = 0; k < row_pack && i + k < n; ++k) store_as(data, dtype, base + (i + k) * step, values[k]);
}

}  // namespace nativegrad::cuda
