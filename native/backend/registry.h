// The devices of the process: 0 is the CPU, 1 + i device i of the plugin, once one was loaded.
#pragma once

#include <string>

#include "backend/backend.h"

namespace nativegrad {

struct Device {
    const BackendTable* backend;
    int32_t ordinal;
};

// A device and a queue on it: where memory lies and work is done.
struct Placement {
    const BackendTable* backend;
    DeviceQueue where;
};

// Throws Error where there is no such device.
Device device_at(int32_t device);

int32_t device_count();

// "cpu", "cuda:0", ...
std::string device_name(int32_t device);
std::string device_name(const Placement& placement);

// Loads the plugin whose file is named, once per process; a second call with any name does nothing. Throws
// Error that says why it cannot be used; a later call tries again, and the plugin may remember its answer.
void load_plugin(const char* path);

// Throws Error with the status and the message where `status` is not ok.
void require_ok(int32_t status, const ErrorMessage& error);

}  // namespace nativegrad
