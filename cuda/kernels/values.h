// Elements of any dtype in the type that kernels compute in (float, double, int64_t), as the CPU converts
// them: floats become integers by truncation (NaN and what does not fit: the smallest int64, then wrapped),
// anything but zero becomes true.
#pragma once

#include <type_traits>

#include "device/half.h"
#include "device/platform.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cuda {

template <class T>
__device__ __forceinline__ int64_t to_int64(T value) {
    if constexpr (std::is_same_v<T, int64_t>) {
        return value;
    } else {
        const bool fits = value >= T(-9223372036854775808.0) && value < T(9223372036854775808.0);
        return fits ? static_cast<int64_t>(value) : INT64_MIN;
    }
}

template <class T, class Stored>
__device__ __forceinline__ T load_value(Stored value) {
    if constexpr (std::is_same_v<Stored, Float16> || std::is_same_v<Stored, BFloat16>) {
        return static_cast<T>(as_float(value));
    } else if constexpr (std::is_same_v<Stored, Bool8>) {
        return static_cast<T>(value.value != 0);
    } else {
        return static_cast<T>(value);
    }
}

template <class Stored, class T>
__device__ __forceinline__ Stored store_value(T value) {
    if constexpr (std::is_same_v<Stored, Float16> || std::is_same_v<Stored, BFloat16>) {
        return from_float<Stored>(static_cast<float>(value));
    } else if constexpr (std::is_same_v<Stored, Bool8>) {
        return Bool8{static_cast<uint8_t>(value != T(0))};
    } else if constexpr (std::is_integral_v<Stored>) {
        return static_cast<Stored>(to_int64(value));
    } else {
        return static_cast<Stored>(value);
    }
}

// A tensor as a kernel reads it where its dtype is known at run time only, or one number everywhere.
struct Source {
    const void* data;  // null: the number
    DType dtype;
    double number;
};

inline Source source_of(const TensorView& view) {
    if (view.is_host_scalar) return {nullptr, view.dtype, *static_cast<const double*>(view.data)};
    return {view.data, view.dtype, 0};
}

template <class T>
__device__ __forceinline__ T load_as(const Source& source, int64_t offset) {
    if (source.data == nullptr) return static_cast<T>(source.number);
    switch (source.dtype) {
#define X(name, Stored, compute) \
    case DType::name:            \
        return load_value<T>(static_cast<const Stored*>(source.data)[offset]);
        NATIVEGRAD_DTYPES(X)
#undef X
    }
    return T(0);
}

template <class T>
__device__ __forceinline__ void store_as(void* data, DType dtype, int64_t offset, T value) {
    switch (dtype) {
#define X(name, Stored, compute)                                         \
    case DType::name:                                                    \
        static_cast<Stored*>(data)[offset] = store_value<Stored>(value); \
        return;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

}  // namespace nativegrad::cuda
