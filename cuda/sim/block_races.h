// Which block wrote and which read each word of device memory in the launch that runs. Nothing orders the
// blocks of a launch: what one writes and another touches is a race, when not both are atomic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sim/shared_shadow.h"

namespace nativegrad::cuda::sim {

// Whether the launch that runs has several blocks and is looked at.
extern bool block_races_checked;

void block_races_begin_launch(int64_t blocks);
void block_races_begin_block(int64_t index);
// After a fence a block may read what others wrote: it has learnt by an atomic that they are done.
void block_races_fence();
// `address` in the heap.
void block_races_access(uintptr_t address, size_t bytes, Access access, const void* code);

}  // namespace nativegrad::cuda::sim
