// Images [N, C, H, W] of any strides as kernels walk them: channels the fastest, several of them at once
// where they lie side by side.
#pragma once

#include "device/device.h"
#include "kernels/values.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cuda {

struct ImageShape {
    int64_t images, channels, height, width;
    int64_t strides[4];

    explicit ImageShape(const TensorView& view)
        : images(view.shape[0]), channels(view.shape[1]), height(view.shape[2]), width(view.shape[3]) {
        for (int axis = 0; axis < 4; ++axis) strides[axis] = view.strides[axis];
    }
    __device__ __forceinline__ int64_t offset(int64_t n, int64_t c, int64_t row, int64_t column) const {
        return n * strides[0] + c * strides[1] + row * strides[2] + column * strides[3];
    }
    __device__ __forceinline__ int64_t channels_last(int64_t n, int64_t c, int64_t row,
                                                     int64_t column) const {
        return ((n * height + row) * width + column) * channels + c;
    }
};

struct Pixel {
    int64_t n, c, row, column;
};

// The remainder of linear / size, which linear becomes: by 32 bits where that does.
__device__ __forceinline__ int64_t take_digit(int64_t& linear, int64_t size) {
    if (linear <= UINT32_MAX && size <= UINT32_MAX) {
        const uint32_t all = static_cast<uint32_t>(linear), by = static_cast<uint32_t>(size);
        linear = all / by;
        return all % by;
    }
    const int64_t rest = linear % size;
    linear /= size;
    return rest;
}

// Pixel `linear` in channels-last order, `each` channels at a time.
__device__ __forceinline__ Pixel pixel_at(const ImageShape& shape, int64_t linear, int each) {
    Pixel pixel;
    pixel.c = take_digit(linear, shape.channels / each) * each;
    pixel.column = take_digit(linear, shape.width);
    pixel.row = take_digit(linear, shape.height);
    pixel.n = linear;
    return pixel;
}

// Elements of any dtype, one at a time, computed in T.
template <class T>
struct AnyElements {
    using Compute = T;
    static constexpr int width = 1;
    void* data;
    DType dtype;

    explicit AnyElements(const TensorView& view) : data(view.data), dtype(view.dtype) {}
    __device__ __forceinline__ void load(int64_t at, T (&values)[1]) const {
        values[0] = load_as<T>(Source{data, dtype, 0}, at);
    }
    __device__ __forceinline__ void store(int64_t at, const T (&values)[1]) const {
        store_as(data, dtype, at, values[0]);
    }
};

// 16 bytes of Stored at a time, computed in float.
template <class Stored>
struct PackedElements {
    using Compute = float;
    static constexpr int width = pack_width<Stored>;
    Stored* data;

    explicit PackedElements(const TensorView& view) : data(static_cast<Stored*>(view.data)) {}
    __device__ __forceinline__ void load(int64_t at, float (&values)[width]) const {
        const Pack<Stored, width> pack = load_pack<width>(static_cast<const Stored*>(data) + at);
        for (int k = 0; k < width; ++k) values[k] = as_float(pack[k]);
    }
    __device__ __forceinline__ void store(int64_t at, const float (&values)[width]) const {
        Pack<Stored, width> pack;
        for (int k = 0; k < width; ++k) pack[k] = from_float<Stored>(values[k]);
        store_pack(data + at, pack);
    }
};

inline bool is_channels_last(const TensorView& view) {
    TensorView dense = view;
    set_channels_last_strides(dense);
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (view.shape[axis] != 1 && view.strides[axis] != dense.strides[axis]) return false;
    }
    return true;
}

inline bool packs(const TensorView& view) {
    return is_channels_last(view) && is_aligned(view.data, 16) &&
           view.shape[1] % static_cast<int64_t>(16 / item_size(view.dtype)) == 0;
}

// A type in a value.
template <class T>
struct TypeOf {
    using type = T;
};

// Calls body(TypeOf<Elements>()) with the way in which images a and b of float dtypes are read and written.
template <class Body>
void with_elements(const TensorView& a, const TensorView& b, bool may_pack, const Body& body) {
    if (may_pack && a.dtype == b.dtype && packs(a) && packs(b)) {
        if (a.dtype == DType::float32) return body(TypeOf<PackedElements<float>>());
        if (a.dtype == DType::float16) return body(TypeOf<PackedElements<Float16>>());
        if (a.dtype == DType::bfloat16) return body(TypeOf<PackedElements<BFloat16>>());
    }
    if (a.dtype == DType::float64) return body(TypeOf<AnyElements<double>>());
    body(TypeOf<AnyElements<float>>());
}

}  // namespace nativegrad::cuda
