#include "kernels/reduce/families.h"
#include "kernels/reduce/fold_kernels.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

void count_as(const ReduceCall& call, CountResult result) {
    with_compute_type(call.x.dtype, [&](auto type) {
        using T = decltype(type);
        run_fold<T>(call.x, call.out, call.plan, CountFold<T>{result}, call.queue);
    });
}

}  // namespace

void reduce_any(const ReduceCall& call) { count_as(call, CountResult::any); }
void reduce_all(const ReduceCall& call) { count_as(call, CountResult::all); }
void reduce_count(const ReduceCall& call) { count_as(call, CountResult::count); }

}  // namespace nativegrad::cuda
