#include "kernels/product/device_limits.h"

#include <atomic>

#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

struct Limits {
    std::atomic<int> capability, shared_bytes, processors;
};
Limits known[max_devices];

const Limits& limits_of(int ordinal) {
    Limits& limits = known[ordinal];
    if (limits.capability == 0) {
        const DeviceProperties properties = device_properties(ordinal);
        limits.shared_bytes = properties.max_shared_bytes;
        limits.processors = properties.sm_count;
        limits.capability = properties.capability;
    }
    return limits;
}

}  // namespace

int capability_of(int ordinal) { return limits_of(ordinal).capability; }

int64_t shared_limit_of(int ordinal) { return limits_of(ordinal).shared_bytes; }

int64_t processors_of(int ordinal) { return limits_of(ordinal).processors; }

int64_t resident_blocks(int ordinal, int64_t bytes) {
    // The CUDA C++ Programming Guide, "Compute Capabilities": from 8.0 on the system takes a KiB for each
    // block, and the largest block has all the rest of a multiprocessor.
    const int64_t reserved = capability_of(ordinal) >= 80 ? 1 << 10 : 0;
    return (shared_limit_of(ordinal) + reserved) / (bytes + reserved);
}

}  // namespace nativegrad::cuda
