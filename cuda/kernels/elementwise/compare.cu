#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/walk.h"

namespace nativegrad::cuda {

namespace {

// a, b [...] -> out bool [...] = f(a, b)
template <class T, int width>
__device__ __forceinline__ void compare_groups(const Walk<2>& walk, CompareFunction function) {
    each_group<T, width>(walk, [&](const Group<T, width>(&in)[2], const GroupPlace&, Group<T, width>& out) {
        apply_compare<T, width>(function, in[0], in[1], out);
    });
}

// condition, a, b [...] -> out [...] = a where the condition holds, else b
template <class T, int width>
__device__ __forceinline__ void where_groups(const Walk<3>& walk) {
    each_group<T, width>(walk, [&](const Group<T, width>(&in)[3], const GroupPlace&, Group<T, width>& out) {
#pragma unroll
        for (int i = 0; i < width; ++i) out[i] = in[0][i] != T(0) ? in[1][i] : in[2][i];
    });
}

}  // namespace

namespace ops {

// a, b broadcast -> out bool [...]; compared in params.dtype
void compare(const OpCall& call, const CompareParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    expect_function(params.function, CompareFunction::count);
    if (params.dtype < 0 || params.dtype >= dtype_count) fail("no dtype %d", params.dtype);
    const TensorView& out = call.outputs[0];
    if (out.dtype != DType::boolean) fail("writes bool, got an output of %s", dtype_name(out.dtype));
    const TensorView a = broadcast_to(call.inputs[0], out), b = broadcast_to(call.inputs[1], out);
    const Walk<2> walk({&out, &a, &b});
    if (walk.count == 0) return;
    with_compute_type(static_cast<DType>(params.dtype), [&](auto type) {
        using T = decltype(type);
        with_width<T>(walk, [&](auto width) {
            launch_batched<compare_groups<T, width()>>(walk.grid(), queue.stream(), walk,
                                                       static_cast<CompareFunction>(params.function));
        });
    });
}

// condition bool, a, b broadcast -> out [...]
void where(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 3, 1);
    const TensorView& out = call.outputs[0];
    if (call.inputs[0].dtype != DType::boolean)
        fail("the condition must be bool, got %s", dtype_name(call.inputs[0].dtype));
    const TensorView c = broadcast_to(call.inputs[0], out), a = broadcast_to(call.inputs[1], out),
                     b = broadcast_to(call.inputs[2], out);
    const Walk<3> walk({&out, &c, &a, &b});
    if (walk.count == 0) return;
    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        with_width<T>(walk, [&](auto width) {
            launch_batched<where_groups<T, width()>, unbounded>(walk.grid(), queue.stream(), walk);
        });
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
