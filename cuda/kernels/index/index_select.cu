#include "backend/ops.h"
#include "device/device.h"
#include "kernels/index/index_source.h"
#include "kernels/strided.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// Index of the walk's element along the axis, and how far a step of it leads in the index and in x.
struct SliceWalk {
    StridedAxes<3> axes;  // out, x without the axis, index along the axis
    int64_t count, index_stride, slice_stride, size;
};

// x [.., D, ..], index [n] -> out [.., n, ..]; `width` elements of Stored are one element of the walk
template <class Stored, int width>
__device__ __forceinline__ void select_slices(const Stored* x, const IndexSource& index, Stored* out,
                                              const SliceWalk& walk, const FaultReport& faults) {
    for (int64_t i = grid_thread_index(); i < walk.count; i += grid_thread_count()) {
        const Offsets<3> at = locate(walk.axes, i);
        const int64_t position = at.of[2];
        const int64_t place = read_place(index, position * walk.index_stride, walk.size, faults, position);
        Pack<Stored, width> element{};
        if (place >= 0) element = load_pack<width>(x + (at.of[1] + place * walk.slice_stride) * width);
        store_pack(out + at.of[0] * width, element);
    }
}

bool steps_by(const TensorView& view, int32_t joined, int64_t each) {
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (axis != joined && view.shape[axis] != 1 && view.strides[axis] % each != 0) return false;
    }
    return is_aligned(view.data, 16);
}

void join(TensorView& view, int32_t joined, int64_t each) {
    view.shape[joined] /= each;
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (axis != joined) view.strides[axis] /= each;
    }
}

// Makes views of 16-byte elements where both lie densely along one axis beside the selected one.
bool widen(TensorView& x, TensorView& out, int32_t selected) {
    const int64_t each = static_cast<int64_t>(16 / item_size(x.dtype));
    for (int32_t axis = 0; axis < x.rank; ++axis) {
        const bool joins =
            axis != selected && x.strides[axis] == 1 && out.strides[axis] == 1 && out.shape[axis] % each == 0;
        if (!joins || !steps_by(x, axis, each) || !steps_by(out, axis, each)) continue;
        join(x, axis, each);
        join(out, axis, each);
        return true;
    }
    return false;
}

template <class Stored, int width>
void launch_select(const TensorView& x, const TensorView& index, const TensorView& out, int32_t axis,
                   Queue& queue) {
    const TensorView from = beside_axis(x, out, axis);
    TensorView along = beside_axis(out, out, axis);
    for (int32_t i = 0; i < out.rank; ++i) along.strides[i] = i == axis ? 1 : 0;
    const StridedAxes<3> axes({&out, &from, &along});
    const SliceWalk walk{axes, axes.count(), index.strides[0], x.strides[axis], x.shape[axis]};
    launch_batched<select_slices<Stored, width>, unbounded>(
        elementwise_grid(walk.count), queue.stream(), static_cast<const Stored*>(x.data), index_source(index),
        static_cast<Stored*>(out.data), walk, queue.fault_report(OpCode::index_select));
}

}  // namespace

namespace ops {

// x [.., D, ..], index [n] -> out [.., n, ..]
void index_select(const OpCall& call, const AxisParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView& index = call.inputs[1];
    TensorView x = call.inputs[0], out = call.outputs[0];
    const int32_t axis = static_cast<int32_t>(params.axis);
    if (axis < 0 || axis >= x.rank || index.rank != 1 || is_float(index.dtype) || x.rank != out.rank ||
        x.dtype != out.dtype || out.shape[axis] != index.shape[0]) {
        fail("needs x [.., D, ..] and index [n]");
    }
    if (element_count(out) == 0) return;
    if (widen(x, out, axis)) return launch_select<uint32_t, 4>(x, index, out, axis, queue);
    switch (item_size(x.dtype)) {
        case 1:
            return launch_select<uint8_t, 1>(x, index, out, axis, queue);
        case 2:
            return launch_select<uint16_t, 1>(x, index, out, axis, queue);
        case 4:
            return launch_select<uint32_t, 1>(x, index, out, axis, queue);
        default:
            return launch_select<uint64_t, 1>(x, index, out, axis, queue);
    }
}

}  // namespace ops

}  // namespace nativegrad::cuda
