// Images whose channels lie side by side: views of a tensor, or of a dense copy where it lies otherwise.
#pragma once

#include <optional>

#include "backend/ops.h"

namespace nativegrad::cuda {

// [N, C, H, W] with C fastest and nothing between the pixels
bool is_channels_last(const TensorView& x);

// x -> out of the same shape; the strides are any.
void copy_tensor(const TensorView& x, const TensorView& out, Queue& queue);

// What kernels that move 16 bytes at a time ask for; views begin at any element.
constexpr size_t chunk_alignment = 16;

// x itself, or a copy of it, channels last and so aligned.
class DenseImages {
  public:
    DenseImages(const TensorView& x, Queue& queue, size_t alignment = 1);
    const TensorView& view() const { return view_; }

  private:
    TensorView view_;
    std::optional<Scratch> copy_;
};

// Where a result is made, channels last and aligned to chunks; finish() copies it to where it belongs.
class MadeImages {
  public:
    MadeImages(const TensorView& out, Queue& queue);
    const TensorView& view() const { return view_; }
    void finish();

  private:
    const TensorView& out_;
    Queue& queue_;
    TensorView view_;
    std::optional<Scratch> made_;
};

// The weight [O, C / groups, kH, kW] as [groups, rows, kH, kW, depth] without gaps: rows are O / groups and
// the depth C / groups, the other way round with `swapped`; a copy where it does not lie so, or so aligned.
class TapWeights {
  public:
    TapWeights(const TensorView& w, int64_t groups, bool swapped, Queue& queue, size_t alignment = 1);
    const void* data() const { return view_.data; }

  private:
    TensorView view_;
    std::optional<Scratch> copy_;
};

// w [O, C / groups, kH, kW] as [groups, O / groups, C / groups, kH, kW]
TensorView grouped_weight(const TensorView& w, int64_t groups);
// Strides of that shape where [groups, rows, kH, kW, depth] is dense.
void set_tap_strides(TensorView& view, bool swapped);

}  // namespace nativegrad::cuda
