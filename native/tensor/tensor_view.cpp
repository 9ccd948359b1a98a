#include "tensor/tensor_view.h"

#include <algorithm>
#include <utility>

namespace nativegrad {

const char* dtype_name(DType dtype) {
    switch (dtype) {
#define X(name, type, compute) \
    case DType::name:          \
        return #name;
        NATIVEGRAD_DTYPES(X)
#undef X
    }
    return "unknown";
}

int64_t element_count(const TensorView& view) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < view.rank; ++axis) count *= view.shape[axis];
    return count;
}

void set_row_major_strides(TensorView& view) {
    int64_t stride = 1;
    for (int32_t axis = view.rank - 1; axis >= 0; --axis) {
        view.strides[axis] = stride;
        stride *= std::max<int64_t>(view.shape[axis], 1);
    }
}

void set_channels_last_strides(TensorView& view) {
    if (view.rank < 3) return set_row_major_strides(view);
    int64_t stride = std::max<int64_t>(view.shape[1], 1);
    for (int32_t axis = view.rank - 1; axis >= 2; --axis) {
        view.strides[axis] = stride;
        stride *= std::max<int64_t>(view.shape[axis], 1);
    }
    view.strides[1] = 1;
    view.strides[0] = stride;
}

bool is_one_value(const TensorView& view) {
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (view.shape[axis] != 1 && view.strides[axis] != 0) return false;
    }
    return true;
}

bool is_row_major(const TensorView& view) {
    int64_t expected = 1;
    for (int32_t axis = view.rank - 1; axis >= 0; --axis) {
        if (view.shape[axis] == 0) return true;
        if (view.shape[axis] != 1 && view.strides[axis] != expected) return false;
        expected *= view.shape[axis];
    }
    return true;
}

bool is_dense(const TensorView& view) {
    int32_t axes[max_rank];
    int32_t count = 0;
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (view.shape[axis] == 0) return true;
        if (view.shape[axis] != 1) axes[count++] = axis;
    }
    for (int32_t i = 1; i < count; ++i) {
        for (int32_t j = i; j > 0 && view.strides[axes[j - 1]] > view.strides[axes[j]]; --j)
            std::swap(axes[j - 1], axes[j]);
    }
    int64_t expected = 1;
    for (int32_t i = 0; i < count; ++i) {
        if (view.strides[axes[i]] != expected) return false;
        expected *= view.shape[axes[i]];
    }
    return true;
}

}  // namespace nativegrad
