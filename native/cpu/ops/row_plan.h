// Rows of the last axes of a tensor, for normalisation over them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

// x seen as [count, length]: the axes from `axis` on form one row.
struct RowPlan {
    int64_t count = 1, length = 1;

    RowPlan(const TensorView& x, int64_t axis) {
        if (axis < 0 || axis > x.rank) fail("axis %d of rank %d", static_cast<int>(axis), x.rank);
        for (int32_t i = 0; i < x.rank; ++i) (i < axis ? count : length) *= x.shape[i];
    }

    // So many that the float sums over the rows of a chunk stay precise.
    int64_t chunk() const {
        return std::max<int64_t>(1, std::min<int64_t>(128, 16384 / std::max<int64_t>(length, 1)));
    }
    int64_t chunks() const { return (count + chunk() - 1) / chunk(); }

    // body(chunk, first row, rows)
    template <class Body>
    void each(const Body& body) const {
        const int64_t size = chunk();
        parallel_for(chunks(),
                     [&](int64_t index) { body(index, index * size, std::min(size, count - index * size)); });
    }
};

// A row-major operand in the compute type.
template <class T>
class DenseRows {
  public:
    explicit DenseRows(const TensorView& view) {
        if (view.dtype == own_dtype<T>() && is_row_major(view)) {
            data_ = static_cast<const T*>(view.data);
            return;
        }
        TensorView dense = view;
        buffer_.emplace(element_count(view));
        dense.data = buffer_->data();
        dense.dtype = own_dtype<T>();
        set_row_major_strides(dense);
        copy_view(view, dense);
        data_ = buffer_->data();
    }
    const T* operator[](int64_t row) const { return data_ + row; }

  private:
    const T* data_;
    std::optional<WorkBuffer<T>> buffer_;
};

// The row-major output, or a buffer in the compute type that finish() converts from.
template <class T>
class DenseRowsOut {
  public:
    explicit DenseRowsOut(const TensorView& view) : view_(view) {
        if (!is_row_major(view)) fail("needs a dense output");
        if (view.dtype == own_dtype<T>()) {
            data_ = static_cast<T*>(view.data);
        } else {
            buffer_.emplace(element_count(view));
            data_ = buffer_->data();
        }
    }
    T* operator[](int64_t element_index) const { return data_ + element_index; }
    void finish() const {
        if (buffer_) store_block(view_.dtype, view_.data, 1, element_count(view_), data_);
    }

  private:
    const TensorView& view_;
    T* data_;
    std::optional<WorkBuffer<T>> buffer_;
};

}  // namespace nativegrad::cpu
