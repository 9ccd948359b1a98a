// Operands [N, C, spatial...] as dense rows of channels in the compute type: the tensor's own memory where it
// is laid out so, else a converted copy.
#pragma once

#include <optional>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

template <class T>
TensorView channels_last_like(const TensorView& view, T* data) {
    TensorView dense = view;
    dense.data = data;
    dense.dtype = own_dtype<T>();
    dense.is_host_scalar = 0;
    set_channels_last_strides(dense);
    return dense;
}

inline bool same_strides(const TensorView& a, const TensorView& b) {
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

inline void copy_view(const TensorView& from, const TensorView& to) {
    copy({1, 1, 1, &from, &to, nullptr}, {});
}

// x [N, C, ...] -> data() [N, ..., C]
template <class T>
class DenseInput {
  public:
    explicit DenseInput(const TensorView& view) {
        TensorView dense = channels_last_like<T>(view, nullptr);
        if (view.dtype == own_dtype<T>() && same_strides(view, dense)) {
            data_ = static_cast<const T*>(view.data);
            return;
        }
        buffer_.emplace(element_count(view));
        dense.data = buffer_->data();
        copy_view(view, dense);
        data_ = buffer_->data();
    }
    const T* data() const { return data_; }

  private:
    const T* data_;
    std::optional<WorkBuffer<T>> buffer_;
};

// data() [N, ..., C] -> out [N, C, ...]; finish() after the last write
template <class T>
class DenseOutput {
  public:
    explicit DenseOutput(const TensorView& view) : view_(view) {
        const TensorView dense = channels_last_like<T>(view, nullptr);
        if (view.dtype == own_dtype<T>() && same_strides(view, dense)) {
            data_ = static_cast<T*>(view.data);
            return;
        }
        buffer_.emplace(element_count(view));
        data_ = buffer_->data();
    }
    T* data() const { return data_; }
    void finish() const {
        if (buffer_) copy_view(channels_last_like<T>(view_, data_), view_);
    }

  private:
    const TensorView& view_;
    T* data_;
    std::optional<WorkBuffer<T>> buffer_;
};

// Room for a few rows of an image in the compute type, on the stack where they are short.
template <class T>
class Stretch {
  public:
    explicit Stretch(int64_t count) {
        if (count > short_count) long_.emplace(count);
    }
    T* data() { return long_ ? long_->data() : short_; }

  private:
    static constexpr int64_t short_count = 4096;
    alignas(64) T short_[short_count];
    std::optional<WorkBuffer<T>> long_;
};

// True for dense images of two-byte floats, which are better converted a stretch at a time than as a whole.
template <class T>
bool converts_by_stretches(const TensorView& view) {
    return is_two_byte_float(view.dtype) && same_strides(view, channels_last_like<T>(view, nullptr));
}

// x [N, C, ...] in stretches of [N, ..., C]
template <class T>
class DenseReader {
  public:
    explicit DenseReader(const TensorView& view) : view_(view) {
        if (!converts_by_stretches<T>(view)) whole_.emplace(view);
    }
    // `count` elements from `at` on, where they lie or converted into `room`
    const T* read(int64_t at, int64_t count, Stretch<T>& room) const {
        if (whole_) return whole_->data() + at;
        load_block(view_.dtype, element(view_, at), 1, count, room.data());
        return room.data();
    }
    // Room that read() needs.
    int64_t room(int64_t count) const { return whole_ ? 0 : count; }

  private:
    const TensorView& view_;
    std::optional<DenseInput<T>> whole_;
};

// Stretches of [N, ..., C] -> out [N, C, ...]; finish() after the last one
template <class T>
class DenseWriter {
  public:
    explicit DenseWriter(const TensorView& view) : view_(view) {
        if (!converts_by_stretches<T>(view)) whole_.emplace(view);
    }
    // Where to write a stretch, before write()
    T* place(int64_t at, Stretch<T>& room) const { return whole_ ? whole_->data() + at : room.data(); }
    void write(int64_t at, int64_t count, const T* from) const {
        if (!whole_) store_block(view_.dtype, element(view_, at), 1, count, from);
    }
    int64_t room(int64_t count) const { return whole_ ? 0 : count; }
    void finish() const {
        if (whole_) whole_->finish();
    }

  private:
    const TensorView& view_;
    std::optional<DenseOutput<T>> whole_;
};

// x [n] as dense values of T; `fallback` fills it where there is no tensor
template <class T>
class DenseVector {
  public:
    DenseVector(const TensorView* view, int64_t count, T fallback) : buffer_(count) {
        if (view == nullptr) {
            for (int64_t i = 0; i < count; ++i) buffer_.data()[i] = fallback;
            return;
        }
        if (view->rank != 1 || view->shape[0] != count)
            fail("expected one value for each of %lld channels", static_cast<long long>(count));
        load_block(view->dtype, view->data, view->strides[0], count, buffer_.data());
    }
    const T* data() const { return buffer_.data(); }
    T operator[](int64_t i) const { return buffer_.data()[i]; }

  private:
    WorkBuffer<T> buffer_;
};

}  // namespace nativegrad::cpu
