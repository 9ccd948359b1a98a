// Caching allocator of device memory, one pool a device. A freed block waits for the next request from the
// queue that it was used in, which runs after all that used it, so nothing is waited for.
#pragma once

#include <string>

#include "backend/backend.h"
#include "backend/queue.h"

namespace nativegrad::cuda {

// Null when the device, or the limit, has no memory left, also after the cache was given back.
void* allocate_block(Queue& queue, size_t bytes);
// `bytes` as asked for.
void release_block(Queue& queue, void* data, size_t bytes);

MemoryStats memory_stats(int ordinal);
// What the device has and what is held of it, for messages: "of 80 bytes the device has 20 free, ...".
std::string memory_text(int ordinal);
void set_memory_limit(int ordinal, int64_t bytes);
void reset_peak(int ordinal);
// Gives cached blocks back to the device; returns their bytes.
int64_t empty_cache(int ordinal);

}  // namespace nativegrad::cuda
