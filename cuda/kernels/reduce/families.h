// The reductions, a source file per fold or two: each is some ten kernels.
#pragma once

#include "backend/queue.h"
#include "kernels/reduce/plan.h"

namespace nativegrad::cuda {

// x [...], plan over its axes -> out [kept axes], dense
struct ReduceCall {
    const TensorView& x;
    const TensorView& out;
    const ReducePlan& plan;
    Queue& queue;
};

void reduce_sum(const ReduceCall& call, bool mean);
void reduce_prod(const ReduceCall& call);
void reduce_extreme(const ReduceCall& call, bool largest, bool magnitude);
void reduce_any(const ReduceCall& call);
void reduce_all(const ReduceCall& call);
void reduce_count(const ReduceCall& call);
void reduce_norm(const ReduceCall& call, double p);
void reduce_moments(const ReduceCall& call, double correction, bool root);
void reduce_logsumexp(const ReduceCall& call);
void reduce_place(const ReduceCall& call, bool largest);

}  // namespace nativegrad::cuda
