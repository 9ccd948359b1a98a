// What a device can, asked once: asking takes the driver a millisecond.
#pragma once

#include <cstdint>

namespace nativegrad::cuda {

// 90 for 9.0
int capability_of(int ordinal);
// Shared memory that one block may ask for.
int64_t shared_limit_of(int ordinal);
// Multiprocessors.
int64_t processors_of(int ordinal);
// Blocks with so much shared memory that one of them can hold.
int64_t resident_blocks(int ordinal, int64_t bytes);

}  // namespace nativegrad::cuda
