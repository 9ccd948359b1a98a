// Indices as kernels read them from an integer tensor, and views for walking operands beside them.
#pragma once

#include "device/device.h"
#include "device/fault.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cuda {

struct IndexSource {
    const void* data;
    DType dtype;
};

inline IndexSource index_source(const TensorView& index) { return {index.data, index.dtype}; }

__device__ __forceinline__ int64_t read_index(const IndexSource& index, int64_t offset) {
    switch (index.dtype) {
        case DType::int64:
            return static_cast<const int64_t*>(index.data)[offset];
        case DType::int32:
            return static_cast<const int32_t*>(index.data)[offset];
        default:
            return static_cast<const uint8_t*>(index.data)[offset];
    }
}

// The index at `offset` as a place in [0, size), negative ones from faults.low on counted from the end. -1
// where it lies outside, which is then reported for `position`.
__device__ __forceinline__ int64_t read_place(const IndexSource& index, int64_t offset, int64_t size,
                                              const FaultReport& faults, int64_t position) {
    const int64_t value = read_index(index, offset);
    if (value < faults.low || value >= size) {
        faults.raise(FaultKind::index_out_of_range, value, size, position);
        return -1;
    }
    return value < 0 ? value + size : value;
}

// `view` with the shape of `shape`, and no step along the axis (of rank 0: nowhere).
inline TensorView beside_axis(const TensorView& view, const TensorView& shape, int32_t axis) {
    TensorView result = view;
    for (int32_t i = 0; i < shape.rank; ++i) result.shape[i] = shape.shape[i];
    result.strides[axis] = 0;
    return result;
}

// Offsets in it are the places of elements of `shape` in row-major order.
inline TensorView positions_of(const TensorView& shape) {
    TensorView result = shape;
    set_row_major_strides(result);
    return result;
}

}  // namespace nativegrad::cuda
