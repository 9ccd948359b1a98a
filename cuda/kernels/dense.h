// Operands as dense memory: their own where they are laid out so, else a copy that lives as long as this.
#pragma once

#include <optional>

#include "backend/ops.h"

namespace nativegrad::cuda {

inline void copy_operand(const TensorView& from, const TensorView& to, Queue& queue) {
    ops::copy({1, 1, 1, &from, &to, nullptr}, {}, queue);
}

inline bool same_strides(const TensorView& a, const TensorView& b) {
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

// The view with dense strides: row-major, or with the channels (axis 1) fastest.
enum class DenseOrder { row_major, channels_last };

inline TensorView dense_like(const TensorView& view, DenseOrder order) {
    TensorView dense = view;
    if (order == DenseOrder::row_major) {
        set_row_major_strides(dense);
    } else {
        set_channels_last_strides(dense);
    }
    return dense;
}

// x [...] in dense memory, of its own dtype
class DenseIn {
  public:
    DenseIn(const TensorView& view, DenseOrder order, Queue& queue) : view_(dense_like(view, order)) {
        if (!view.is_host_scalar && same_strides(view, view_)) return;
        view_.is_host_scalar = 0;
        copy_.emplace(queue, static_cast<size_t>(element_count(view)) * item_size(view.dtype));
        view_.data = copy_->as<void>();
        copy_operand(view, view_, queue);
    }
    const TensorView& view() const { return view_; }
    const void* data() const { return view_.data; }

  private:
    TensorView view_;
    std::optional<Scratch> copy_;
};

// out [...] in dense memory; finish() after the kernels that write it
class DenseOut {
  public:
    DenseOut(const TensorView& view, DenseOrder order, Queue& queue)
        : out_(view), view_(dense_like(view, order)), queue_(queue) {
        if (same_strides(view, view_)) return;
        copy_.emplace(queue, static_cast<size_t>(element_count(view)) * item_size(view.dtype));
        view_.data = copy_->as<void>();
    }
    const TensorView& view() const { return view_; }
    void* data() const { return view_.data; }
    void finish() const {
        if (copy_) copy_operand(view_, out_, queue_);
    }

  private:
    const TensorView& out_;
    TensorView view_;
    Queue& queue_;
    std::optional<Scratch> copy_;
};

}  // namespace nativegrad::cuda
