#include "backend/ops.h"
#include "kernels/reduce/families.h"
#include "ops/functions.h"
#include "ops/operands.h"

namespace nativegrad::cuda::ops {

namespace {

bool has_identity(ReduceFunction function) {
    return function != ReduceFunction::max && function != ReduceFunction::min &&
           function != ReduceFunction::abs_max && function != ReduceFunction::abs_min;
}

void run_reduce(ReduceFunction function, const ReduceCall& call, double p0) {
    switch (function) {
        case ReduceFunction::sum:
            return reduce_sum(call, false);
        case ReduceFunction::mean:
            return reduce_sum(call, true);
        case ReduceFunction::prod:
            return reduce_prod(call);
        case ReduceFunction::max:
            return reduce_extreme(call, true, false);
        case ReduceFunction::min:
            return reduce_extreme(call, false, false);
        case ReduceFunction::abs_max:
            return reduce_extreme(call, true, true);
        case ReduceFunction::abs_min:
            return reduce_extreme(call, false, true);
        case ReduceFunction::var:
            return reduce_moments(call, p0, false);
        case ReduceFunction::std:
            return reduce_moments(call, p0, true);
        case ReduceFunction::logsumexp:
            return reduce_logsumexp(call);
        case ReduceFunction::any:
            return reduce_any(call);
        case ReduceFunction::all:
            return reduce_all(call);
        case ReduceFunction::count_nonzero:
            return reduce_count(call);
        case ReduceFunction::norm1:
            return reduce_norm(call, 1);
        case ReduceFunction::norm2:
            return reduce_norm(call, 2);
        case ReduceFunction::norm_p:
            return reduce_norm(call, p0);
        case ReduceFunction::count:
            break;
    }
}

}  // namespace

// x [...] -> out: x without the reduced axes (or with size 1 there), row-major
void reduce(const OpCall& call, const ReduceParams& params, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    const ReducePlan plan = ReducePlan::of(x, params.axes, false);
    const auto function = static_cast<ReduceFunction>(params.function);
    if (params.function < 0 || function >= ReduceFunction::count) fail("no function %d", params.function);
    if (element_count(out) != plan.outputs || !is_row_major(out)) fail("the output has the wrong size");
    if (plan.count == 0 && plan.outputs > 0 && !has_identity(function)) fail("no elements to choose from");
    run_reduce(function, {x, out, plan, queue}, params.p0);
}

// x [...] -> index of the first extreme along the reduced axes (flattened in logical order), integer dtype
void arg_reduce(const OpCall& call, const ReduceParams& params, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    const ReducePlan plan = ReducePlan::of(x, params.axes, true);
    const auto function = static_cast<ArgReduceFunction>(params.function);
    if (params.function < 0 || function >= ArgReduceFunction::count) fail("no function %d", params.function);
    if (element_count(out) != plan.outputs || !is_row_major(out)) fail("the output has the wrong size");
    if (plan.count == 0 && plan.outputs > 0) fail("no elements to choose from");
    reduce_place({x, out, plan, queue}, function == ArgReduceFunction::argmax);
}

}  // namespace nativegrad::cuda::ops
