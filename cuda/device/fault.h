// How a kernel says that a value is wrong (an index out of range): the first one is kept, the work goes on
// with a value that does no harm, and the host throws when it waits next.
#pragma once

#include "device/atomics.h"
#include "device/platform.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cuda {

enum class FaultKind : int32_t { index_out_of_range, label_out_of_range, integer_division_by_zero };

// Fault::op tells of the model, too: OpCode + 1 + fault_models * (model + 1).
constexpr int32_t fault_models = 1 << 14;

// In memory of the device, where atomics hold; the queue hands it to the host between two kernels. op: 0 =
// nothing wrong. The value lies outside of [low, limit), at element `place` of a tensor of these sizes (rank
// 0: one axis, whose size is not told).
struct Fault {
    int32_t op;
    FaultKind kind;
    int64_t value, low, limit, place;
    int32_t rank;
    int64_t sizes[max_rank];
};

// A parameter of kernels.
struct FaultReport {
    Fault* fault;
    int32_t op;
    int32_t rank = 0;
    int64_t low = 0;
    int64_t sizes[max_rank] = {};

    // From here on, places are counted in the row-major order of `view`, and told by their coordinates.
    FaultReport in(const TensorView& view, int64_t lowest = 0) const {
        FaultReport result = *this;
        result.rank = view.rank;
        result.low = lowest;
        for (int32_t axis = 0; axis < view.rank; ++axis) result.sizes[axis] = view.shape[axis];
        return result;
    }

#ifdef NATIVEGRAD_KERNEL_CODE
    // value at `place` of its tensor is outside [low, limit)
    __device__ __forceinline__ void raise(FaultKind kind, int64_t value, int64_t limit, int64_t place) const {
        if (atomic_cas(&fault->op, 0, op) != 0) return;
        fault->kind = kind;
        fault->value = value;
        fault->low = low;
        fault->limit = limit;
        fault->place = place;
        fault->rank = rank;
        for (int axis = 0; axis < max_rank; ++axis) fault->sizes[axis] = sizes[axis];
    }
#endif
};

}  // namespace nativegrad::cuda
