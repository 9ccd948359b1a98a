// One function per op; each enqueues its kernels on the queue's stream and throws Error for wrong operands.
// Expanded from the table, so a missing one does not link.
#pragma once

#include "backend/queue.h"

namespace nativegrad::cuda::ops {

#define X(name, Params, layout) void name(const OpCall& call, const Params& params, Queue& queue);
#include "ops/op_table.def"
#undef X

}  // namespace nativegrad::cuda::ops
