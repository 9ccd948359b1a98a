#include "backend/ops.h"
#include "device/device.h"
#include "kernels/index/gather_operands.h"
#include "kernels/index/index_source.h"
#include "kernels/strided.h"

namespace nativegrad::cuda {

namespace {

// x [.., D, ..], index [.., n, ..] -> out [.., n, ..]
template <class Stored>
__device__ __forceinline__ void gather_elements(const Stored* x, const IndexSource& index, Stored* out,
                                                const StridedAxes<4>& axes, int64_t count, int64_t size,
                                                int64_t stride, const FaultReport& faults) {
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const Offsets<4> at = locate(axes, i);
        const int64_t place = read_place(index, at.of[2], size, faults, at.of[3]);
        out[at.of[0]] = place >= 0 ? x[at.of[1] + place * stride] : Stored(0);
    }
}

template <class Stored>
void launch_gather(const OpCall& call, const GatherParams& params, Queue& queue) {
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    const int32_t axis = static_cast<int32_t>(params.axis);
    const int64_t size = x.shape[axis];
    const TensorView from = beside_axis(x, out, axis), position = positions_of(index);
    const StridedAxes<4> axes({&out, &from, &index, &position});
    launch_batched<gather_elements<Stored>, unbounded>(
        elementwise_grid(axes.count()), queue.stream(), static_cast<const Stored*>(x.data),
        index_source(index), static_cast<Stored*>(out.data), axes, axes.count(), size, x.strides[axis],
        queue.fault_report(OpCode::gather).in(index, params.wrap != 0 ? -size : 0));
}

}  // namespace

namespace ops {

// x [.., D, ..], index [.., n, ..] -> out [.., n, ..]: out[.., i, ..] = x[.., index[.., i, ..], ..]
void gather(const OpCall& call, const GatherParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    expect_gather_axis(index, params.axis);
    expect_same_sizes(index, out);
    expect_index_fits(index, x, params.axis, "x");
    if (x.dtype != out.dtype) fail("writes the dtype of x");
    if (element_count(out) == 0) return;
    switch (item_size(x.dtype)) {
        case 1:
            return launch_gather<uint8_t>(call, params, queue);
        case 2:
            return launch_gather<uint16_t>(call, params, queue);
        case 4:
            return launch_gather<uint32_t>(call, params, queue);
        default:
            return launch_gather<uint64_t>(call, params, queue);
    }
}

}  // namespace ops

}  // namespace nativegrad::cuda
