#include "runtime/counts.h"

#include <atomic>

namespace nativegrad::cuda {

namespace {

std::atomic<int64_t> counts[static_cast<int>(Work::count)];

int64_t of(Work work) { return counts[static_cast<int>(work)].load(std::memory_order_relaxed); }

}  // namespace

void count(Work work) { counts[static_cast<int>(work)].fetch_add(1, std::memory_order_relaxed); }

WorkCounts work_counts() {
    return {of(Work::host_wait), of(Work::copy_to_device), of(Work::copy_to_host), of(Work::launch),
            of(Work::graph_launch)};
}

}  // namespace nativegrad::cuda
