#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/walk.h"

namespace nativegrad::cuda {

namespace {

// x [...] -> out [...] = f(x), constants p0 and p1
template <class T, int width>
__device__ __forceinline__ void unary_groups(const Walk<1>& walk, UnaryFunction function,
                                             const Live<Constants<T>>& constants) {
    const Constants<T> c = constants.get();
    each_group<T, width>(walk, [&](const Group<T, width>(&in)[1], const GroupPlace&, Group<T, width>& out) {
        apply_unary<T, width>(function, in[0], c.p0, c.p1, out);
    });
}

bool is_defined_on_integers(UnaryFunction function) {
    switch (function) {
#define UNARY(name, Formula, integer) \
    case UnaryFunction::name:         \
        return integer != 0;
#include "ops/elementwise_table.def"
#undef UNARY
        case UnaryFunction::count:
            break;
    }
    return false;
}

}  // namespace

namespace ops {

// x [...] -> out [...]
void unary(const OpCall& call, const UnaryParams& params, Queue& queue) {
    expect_operands(call, 1, 1);
    expect_function(params.function, UnaryFunction::count);
    const auto function = static_cast<UnaryFunction>(params.function);
    const TensorView& out = call.outputs[0];
    if (!is_float(out.dtype) && !is_defined_on_integers(function))
        fail("not defined for integers; cast to a float dtype first");
    const TensorView x = broadcast_to(call.inputs[0], out);
    const Walk<1> walk({&out, &x});
    if (walk.count == 0) return;
    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        with_width<T>(walk, [&](auto width) {
            launch_batched<unary_groups<T, width()>>(walk.grid(), queue.stream(), walk, function,
                                                     queue.live(params, &constants_of<T, UnaryParams>));
        });
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
