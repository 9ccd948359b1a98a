// Work that takes time, for tests of who waits (setup word `slow`): kernels and copies are done at once, but
// count as done only some milliseconds after what their stream did before, and host memory gets its elements
// only when somebody has waited.
#pragma once

#include <cstddef>
#include <mutex>

namespace nativegrad::cuda::sim {

double now_ms();

// What a call costs the host (setup word `launch_cost`).
void sleep_on_host(double milliseconds);

// When work is done that is given now to a stream whose former work is done at `busy_until`.
double done_after(double busy_until);

// A copy to host memory that is done at `done`; poison lies there until then. At once where nothing is slow.
void copy_to_host_at(double done, void* host, const void* from, size_t bytes);

// Sleeps until then, and delivers the copies that are done; the runtime is free for other threads meanwhile.
void wait_until(double done, std::unique_lock<std::recursive_mutex>& lock);

// True when that time has come.
bool is_past(double done);

}  // namespace nativegrad::cuda::sim
