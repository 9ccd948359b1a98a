// Process-wide caching allocator for tensor data: 64-byte aligned blocks in size classes, thread-safe. Live
// and cached bytes together stay below 1.25 times the peak of the live ones, or 256 MiB above what lives now.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/backend.h"

namespace nativegrad::cpu {

void* allocate(size_t bytes);
void release(void* data, size_t bytes);

MemoryStats allocator_stats();
void set_allocator_limit(int64_t bytes);
void reset_allocator_peak();

// Gives cached blocks back to the system; returns the bytes freed.
int64_t empty_allocator_cache();

}  // namespace nativegrad::cpu
