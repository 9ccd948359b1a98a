#include "backend/ops.h"
#include "device/device.h"
#include "kernels/strided.h"
#include "kernels/values.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// -> out [count]
__device__ __forceinline__ void range_elements(void* out, DType dtype, double start, double step,
                                               int64_t count) {
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count())
        store_as(out, dtype, i, start + static_cast<double>(i) * step);
}

}  // namespace

namespace ops {

// -> out [n]
void range(const OpCall& call, const RangeParams& params, Queue& queue) {
    expect_operands(call, 0, 1);
    const TensorView& out = call.outputs[0];
    const int64_t count = element_count(out);
    if (count == 0) return;
    launch_batched<range_elements, unbounded>(elementwise_grid(count), queue.stream(), out.data, out.dtype,
                                              params.start, params.step, count);
}

}  // namespace ops

}  // namespace nativegrad::cuda
