// Page-locked host memory, which a kernel may read and write as well.
#pragma once

#include <cstddef>

namespace nativegrad::cuda::sim {

void* pinned_allocate(size_t bytes);
bool pinned_release(void* data);
bool is_pinned(const void* data, size_t bytes);

}  // namespace nativegrad::cuda::sim
