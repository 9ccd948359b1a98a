// How a kernel says that a value is wrong (an index out of range): the first one is kept, the work goes on
// with a value that does no harm, and the host throws when it waits next.
#pragma once

#include "device/atomics.h"
#include "device/platform.h"

namespace nativegrad::cuda {

enum class FaultKind : int32_t { index_out_of_range, label_out_of_range, integer_division_by_zero };

// In page-locked memory, which the host reads after it waited. op: 0 = nothing wrong.
struct Fault {
    int32_t op;
    FaultKind kind;
    int64_t value, limit, place;
};

// A parameter of kernels.
struct FaultReport {
    Fault* fault;
    int32_t op;  // OpCode + 1

#ifdef NATIVEGRAD_KERNEL_CODE
    // value at `place` of its tensor is outside [0, limit)
    __device__ __forceinline__ void raise(FaultKind kind, int64_t value, int64_t limit, int64_t place) const {
        if (atomic_cas(&fault->op, 0, op) != 0) return;
        fault->kind = kind;
        fault->value = value;
        fault->limit = limit;
        fault->place = place;
    }
#endif
};

}  // namespace nativegrad::cuda
