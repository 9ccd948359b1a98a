// What this process has asked of its devices so far, all of them together: for tests that hold a run to few
// waits.
#pragma once

#include "backend/backend.h"

namespace nativegrad::cuda {

enum class Work { host_wait, copy_to_device, copy_to_host, launch, graph_launch, count };

void count(Work work);
WorkCounts work_counts();

}  // namespace nativegrad::cuda
