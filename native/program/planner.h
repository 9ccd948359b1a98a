// Where the temporaries of a program lie, and which of its calls are needed at all.
#pragma once

#include "program/program.h"

namespace nativegrad {

// Takes out calls whose results nobody reads: no later call, and nothing that outlives the step.
void remove_unread(Program& program);

// Gives each temporary an offset in the arena, so that two that live at the same time do not overlap; sets
// arena_bytes. Greedy, larger buffers first, each at the lowest place that is free while it lives (best fit
// by size, as in Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
void place_temporaries(Program& program);

// The most bytes of temporaries that live at one time: no plan can need less.
int64_t least_arena_bytes(const Program& program);

}  // namespace nativegrad
