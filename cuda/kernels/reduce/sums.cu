#include "kernels/reduce/families.h"
#include "kernels/reduce/fold_kernels.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

void reduce_sum(const ReduceCall& call, bool mean) {
    with_compute_type(call.x.dtype, [&](auto type) {
        using T = decltype(type);
        run_fold<T>(call.x, call.out, call.plan, SumFold<T>{mean}, call.queue);
    });
}

}  // namespace nativegrad::cuda
