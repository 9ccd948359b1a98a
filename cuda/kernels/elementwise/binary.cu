#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/walk.h"

namespace nativegrad::cuda {

namespace {

__host__ __device__ constexpr bool divides(BinaryFunction function) {
    return function == BinaryFunction::floor_divide || function == BinaryFunction::remainder;
}

// a, b [...] -> out [...] = f(a, b), constants p0 and p1
template <class T, int width>
__device__ __forceinline__ void binary_groups(const Walk<2>& walk, BinaryFunction function,
                                              const Live<Constants<T>>& constants,
                                              const FaultReport& report) {
    const Constants<T> c = constants.get();
    each_group<T, width>(walk, [&](Group<T, width>(&in)[2], const GroupPlace& place, Group<T, width>& out) {
        if constexpr (std::is_same_v<T, int64_t>) {
            if (divides(function)) {
#pragma unroll
                for (int i = 0; i < width; ++i) {
                    if (in[1][i] != 0) continue;
                    report.raise(FaultKind::integer_division_by_zero, 0, 0, place.first + i * place.step);
                    in[1][i] = 1;
                }
            }
        }
        apply_binary<T, width>(function, in[0], in[1], c.p0, c.p1, out);
    });
}

bool is_defined_on_integers(BinaryFunction function) {
    switch (function) {
#define BINARY(name, Formula, integer) \
    case BinaryFunction::name:         \
        return integer != 0;
#include "ops/elementwise_table.def"
#undef BINARY
        case BinaryFunction::count:
            break;
    }
    return false;
}

// What kernels can only tell later is told at once for a number.
void refuse_zero_divisor(BinaryFunction function, const TensorView& divisor) {
    if (!divides(function) || !divisor.is_host_scalar) return;
    if (static_cast<int64_t>(*static_cast<const double*>(divisor.data)) == 0)
        fail("integer division by zero; cast to a float dtype to get Infinity or NaN");
}

}  // namespace

namespace ops {

// a, b broadcast -> out [...]; computed in the output's dtype
void binary(const OpCall& call, const BinaryParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    expect_function(params.function, BinaryFunction::count);
    const auto function = static_cast<BinaryFunction>(params.function);
    const TensorView& out = call.outputs[0];
    if (!is_float(out.dtype) && !is_defined_on_integers(function))
        fail("not defined for integers; cast to a float dtype first");
    const TensorView a = broadcast_to(call.inputs[0], out), b = broadcast_to(call.inputs[1], out);
    const Walk<2> walk({&out, &a, &b});
    if (walk.count == 0) return;
    if (!is_float(out.dtype)) refuse_zero_divisor(function, b);
    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        with_width<T>(walk, [&](auto width) {
            launch_batched<binary_groups<T, width()>>(walk.grid(), queue.stream(), walk, function,
                                                      queue.live(params, &constants_of<T, BinaryParams>),
                                                      queue.fault_report(OpCode::binary));
        });
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
