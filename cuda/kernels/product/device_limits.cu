#include "kernels/product/device_limits.h"

#include <atomic>

#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

struct Limits {
    std::atomic<int> capability, shared_bytes;
};
Limits known[max_devices];

const Limits& limits_of(int ordinal) {
    Limits& limits = known[ordinal];
    if (limits.capability == 0) {
        const DeviceProperties properties = device_properties(ordinal);
        limits.shared_bytes = properties.max_shared_bytes;
        limits.capability = properties.capability;
    }
    return limits;
}

}  // namespace

int capability_of(int ordinal) { return limits_of(ordinal).capability; }

int64_t shared_limit_of(int ordinal) { return limits_of(ordinal).shared_bytes; }

}  // namespace nativegrad::cuda
