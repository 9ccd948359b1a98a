// What a graph does besides its calls, from a list in memory of the device: each step's inputs and changing
// numbers come in, and the results of the step before go out, so that both take one kernel.
#pragma once

#include <cstdint>

#include "runtime/runtime.h"

namespace nativegrad::cuda {

// Step i copies `bytes` from from + i * from_step to to + i * to_step.
struct StepCopy {
    const char* from;
    char* to;
    int64_t from_step, to_step, bytes;
};

// next: the step that begins next; running: the one before it. The kernels count.
struct StepCounter {
    int64_t next, running;
};

// Of one kind: copies into a step, then copies out of it, side by side.
struct CopyRange {
    const StepCopy* first;
    int32_t in_count, out_count;
    int64_t most_bytes;  // of one copy
};

struct StepCopyList {
    StepCounter* counter;
    CopyRange small, large;
};

// Copies up to this size are done by a warp each, in the kernel that counts.
constexpr int64_t most_small_bytes = 4096;

// The next step's copies in, those of the step before out.
void begin_step(const StepCopyList& list, Stream stream);
// What the last step left goes out.
void end_steps(const StepCopyList& list, Stream stream);

}  // namespace nativegrad::cuda
