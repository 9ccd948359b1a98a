// What the simulated runtime keeps per device and per thread.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "backend/error.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda::sim {

// One call of the runtime at a time.
std::recursive_mutex& runtime_mutex();

struct Device {
    std::string sticky;
    std::set<std::string> loaded;  // kernels whose code the device holds
};
Device& device_state(int device);

// Throws for a device that is not there, and what stuck to the current one.
void enter(const char* call);
[[noreturn]] void refuse(const char* call, const std::string& why, Status status = Status::internal);
// Throws when this thread captures a stream: the capture ends as invalid, as the real runtime does it.
void refuse_in_capture(const char* call);

}  // namespace nativegrad::cuda::sim
