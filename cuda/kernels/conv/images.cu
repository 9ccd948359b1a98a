#include "kernels/conv/images.h"

#include "device/memory.h"

namespace nativegrad::cuda {

namespace {

bool same_strides(const TensorView& a, const TensorView& b) {
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] != 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

size_t bytes_of(const TensorView& x) { return static_cast<size_t>(element_count(x)) * item_size(x.dtype); }

}  // namespace

bool is_channels_last(const TensorView& x) {
    TensorView dense = x;
    set_channels_last_strides(dense);
    return same_strides(x, dense);
}

void copy_tensor(const TensorView& x, const TensorView& out, Queue& queue) {
    ops::copy(OpCall{1, 1, 1, &x, &out, nullptr, {queue.ordinal(), &queue}}, NoParams{}, queue);
}

DenseImages::DenseImages(const TensorView& x, Queue& queue, size_t alignment) : view_(x) {
    set_channels_last_strides(view_);
    if (is_channels_last(x) && is_aligned(x.data, alignment)) return;
    view_.data = copy_.emplace(queue, bytes_of(x)).as<void>();
    copy_tensor(x, view_, queue);
}

MadeImages::MadeImages(const TensorView& out, Queue& queue) : out_(out), queue_(queue), view_(out) {
    set_channels_last_strides(view_);
    if (!is_channels_last(out) || !is_aligned(out.data, chunk_alignment))
        view_.data = made_.emplace(queue, bytes_of(out)).as<void>();
}

void MadeImages::finish() {
    if (made_) copy_tensor(view_, out_, queue_);
}

TensorView grouped_weight(const TensorView& w, int64_t groups) {
    TensorView view = w;
    view.rank = 5;
    view.shape[0] = groups;
    view.shape[1] = w.shape[0] / groups;
    view.strides[0] = view.shape[1] * w.strides[0];
    for (int axis = 0; axis < 4; ++axis) {
        if (axis > 0) view.shape[axis + 1] = w.shape[axis];
        view.strides[axis + 1] = w.strides[axis];
    }
    return view;
}

void set_tap_strides(TensorView& view, bool swapped) {
    const int row = swapped ? 2 : 1, depth = swapped ? 1 : 2;
    view.strides[depth] = 1;
    view.strides[4] = view.shape[depth];
    view.strides[3] = view.strides[4] * view.shape[4];
    view.strides[row] = view.strides[3] * view.shape[3];
    view.strides[0] = view.strides[row] * view.shape[row];
}

TapWeights::TapWeights(const TensorView& w, int64_t groups, bool swapped, Queue& queue, size_t alignment)
    : view_(grouped_weight(w, groups)) {
    const TensorView given = view_;
    set_tap_strides(view_, swapped);
    if (same_strides(given, view_) && is_aligned(w.data, alignment)) return;
    view_.data = copy_.emplace(queue, bytes_of(w)).as<void>();
    copy_tensor(given, view_, queue);
}

}  // namespace nativegrad::cuda
