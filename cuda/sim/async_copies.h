// cp.async in the simulator: the bytes move when the lane waits for them, so that a missing wait shows.
#pragma once

#include <cstddef>

namespace nativegrad::cuda::sim {

void forget_async_copies();
// Parts of shared memory that the first lane took; the others must take the same.
void forget_shared_parts();

}  // namespace nativegrad::cuda::sim
