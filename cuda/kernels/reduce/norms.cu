#include "kernels/reduce/families.h"
#include "kernels/reduce/fold_kernels.h"

namespace nativegrad::cuda {

void reduce_norm(const ReduceCall& call, double p) {
    if (compute_class(call.x.dtype) == ComputeClass::f32)
        return run_fold<float>(call.x, call.out, call.plan, NormFold<float>{p}, call.queue);
    run_fold<double>(call.x, call.out, call.plan, NormFold<double>{p}, call.queue);
}

}  // namespace nativegrad::cuda
