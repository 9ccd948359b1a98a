// Ops that no kernel exists for yet. A line goes when its op comes; the file goes with the last one.
#include "backend/error.h"
#include "backend/ops.h"

namespace nativegrad::cuda::ops {

#define NATIVEGRAD_NOT_YET(name, Params)                               \
    void name(const OpCall&, const Params&, Queue&) {                  \
        fail("is not on cuda yet; move the tensors with x.to('cpu')"); \
    }

NATIVEGRAD_NOT_YET(adam_step, AdamParams)
NATIVEGRAD_NOT_YET(sgd_step, SgdParams)
NATIVEGRAD_NOT_YET(rmsprop_step, RmspropParams)

#undef NATIVEGRAD_NOT_YET

}  // namespace nativegrad::cuda::ops
