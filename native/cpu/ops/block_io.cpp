#include "cpu/ops/block_io.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "cpu/kernel_table.h"

namespace nativegrad::cpu {

namespace {

template <class T>
int64_t to_int64(T value) {
    if constexpr (std::is_same_v<T, int64_t>) {
        return value;
    } else {
        const bool fits = value >= T(-9223372036854775808.0) && value < T(9223372036854775808.0);
        return fits ? static_cast<int64_t>(value) : std::numeric_limits<int64_t>::min();
    }
}

template <class Stored, class T>
struct Convert {
    static T load(Stored value) { return static_cast<T>(value); }
    static Stored store(T value) {
        if constexpr (std::is_integral_v<Stored>) {
            return static_cast<Stored>(to_int64(value));
        } else {
            return static_cast<Stored>(value);
        }
    }
};
template <class T>
struct Convert<Float16, T> {
    static T load(Float16 value) { return static_cast<T>(to_float(value)); }
    static Float16 store(T value) { return to_float16(static_cast<float>(value)); }
};
template <class T>
struct Convert<BFloat16, T> {
    static T load(BFloat16 value) { return static_cast<T>(to_float(value)); }
    static BFloat16 store(T value) { return to_bfloat16(static_cast<float>(value)); }
};
template <class T>
struct Convert<Bool8, T> {
    static T load(Bool8 value) { return static_cast<T>(value.value != 0); }
    static Bool8 store(T value) { return {static_cast<uint8_t>(value != T(0))}; }
};

template <class Stored, class T>
void load_strided(const Stored* from, int64_t stride, int64_t n, T* out) {
    if (stride == 0) {
        const T value = Convert<Stored, T>::load(*from);
        for (int64_t i = 0; i < n; ++i) out[i] = value;
        return;
    }
    if (stride == 1) {
        if constexpr (std::is_same_v<Stored, T>) {
            std::memcpy(out, from, static_cast<size_t>(n) * sizeof(T));
            return;
        } else if constexpr (std::is_same_v<Stored, Float16> && std::is_same_v<T, float>) {
            return kernels().convert.f16_to_f32(from, out, n);
        } else if constexpr (std::is_same_v<Stored, BFloat16> && std::is_same_v<T, float>) {
            return kernels().convert.bf16_to_f32(from, out, n);
        }
    }
    for (int64_t i = 0; i < n; ++i) out[i] = Convert<Stored, T>::load(from[i * stride]);
}

template <class Stored, class T>
void store_strided(Stored* to, int64_t stride, int64_t n, const T* in) {
    if (stride == 1) {
        if constexpr (std::is_same_v<Stored, T>) {
            std::memmove(to, in, static_cast<size_t>(n) * sizeof(T));
            return;
        } else if constexpr (std::is_same_v<Stored, Float16> && std::is_same_v<T, float>) {
            return kernels().convert.f32_to_f16(in, to, n);
        } else if constexpr (std::is_same_v<Stored, BFloat16> && std::is_same_v<T, float>) {
            return kernels().convert.f32_to_bf16(in, to, n);
        }
    }
    for (int64_t i = 0; i < n; ++i) to[i * stride] = Convert<Stored, T>::store(in[i]);
}

}  // namespace

template <class T>
void load_block(DType dtype, const void* from, int64_t stride, int64_t n, T* out) {
    switch (dtype) {
#define X(name, Stored, compute) \
    case DType::name:            \
        return load_strided(static_cast<const Stored*>(from), stride, n, out);
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

template <class T>
void store_block(DType dtype, void* to, int64_t stride, int64_t n, const T* in) {
    switch (dtype) {
#define X(name, Stored, compute) \
    case DType::name:            \
        return store_strided(static_cast<Stored*>(to), stride, n, in);
        NATIVEGRAD_DTYPES(X)
#undef X
    }
}

template void load_block(DType, const void*, int64_t, int64_t, float*);
template void load_block(DType, const void*, int64_t, int64_t, double*);
template void load_block(DType, const void*, int64_t, int64_t, int64_t*);
template void store_block(DType, void*, int64_t, int64_t, const float*);
template void store_block(DType, void*, int64_t, int64_t, const double*);
template void store_block(DType, void*, int64_t, int64_t, const int64_t*);

}  // namespace nativegrad::cpu
