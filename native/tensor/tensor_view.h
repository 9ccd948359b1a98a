// What a backend sees of a tensor. Plain C layout: it crosses the plugin ABI.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace nativegrad {

constexpr int32_t max_rank = 8;

struct TensorView {
    void* data;  // first element of model 0
    DType dtype;
    int32_t rank;
    int64_t shape[max_rank];
    int64_t strides[max_rank];  // in elements; 0 where a dimension is broadcast
    int64_t model_stride;       // elements from one model to the next; 0 = all models share the tensor
    int32_t is_host_scalar;     // data points to one value in host memory, on every backend
    int32_t reserved;
};

int64_t element_count(const TensorView& view);

// Fills strides for a dense row-major tensor.
void set_row_major_strides(TensorView& view);

// Fills strides for a dense tensor whose channel axis (1) is the fastest: [N, C, spatial...].
void set_channels_last_strides(TensorView& view);

bool is_row_major(const TensorView& view);

// True when all elements are the same one: a number, or one that was expanded.
bool is_one_value(const TensorView& view);

// True when the elements fill one block without gaps or overlaps, in whatever order of axes.
bool is_dense(const TensorView& view);

}  // namespace nativegrad
