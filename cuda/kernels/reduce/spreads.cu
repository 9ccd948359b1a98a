// Reductions whose results are real numbers: integers are read as float64.
#include "kernels/reduce/families.h"
#include "kernels/reduce/fold_kernels.h"

namespace nativegrad::cuda {

namespace {

template <class Body>
void with_real_type(DType dtype, const Body& body) {
    if (compute_class(dtype) == ComputeClass::f32) return body(float{});
    body(double{});
}

}  // namespace

void reduce_moments(const ReduceCall& call, double correction, bool root) {
    with_real_type(call.x.dtype, [&](auto type) {
        using T = decltype(type);
        run_fold<T>(call.x, call.out, call.plan, MomentFold<T>{correction, root}, call.queue);
    });
}

void reduce_logsumexp(const ReduceCall& call) {
    with_real_type(call.x.dtype, [&](auto type) {
        using T = decltype(type);
        run_fold<T>(call.x, call.out, call.plan, LogSumExpFold<T>{}, call.queue);
    });
}

}  // namespace nativegrad::cuda
