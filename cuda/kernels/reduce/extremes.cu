#include "kernels/reduce/families.h"
#include "kernels/reduce/fold_kernels.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

void reduce_extreme(const ReduceCall& call, bool largest, bool magnitude) {
    with_compute_type(call.x.dtype, [&](auto type) {
        using T = decltype(type);
        run_fold<T>(call.x, call.out, call.plan, ExtremeFold<T>{largest, magnitude}, call.queue);
    });
}

}  // namespace nativegrad::cuda
