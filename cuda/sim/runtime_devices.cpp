// Devices and memory of the simulated runtime.
#include <cstdio>
#include <cstring>

#include "device/launch.h"
#include "runtime/counts.h"
#include "runtime/fault_text.h"
#include "runtime/runtime.h"
#include "sim/control.h"
#include "sim/device_state.h"
#include "sim/heap.h"
#include "sim/pinned.h"

namespace nativegrad::cuda {

namespace sim {

namespace {
thread_local int current = 0;
constexpr int version = 13000;
}  // namespace

std::recursive_mutex& runtime_mutex() {
    static std::recursive_mutex mutex;
    return mutex;
}

Device& device_state(int device) {
    static Device devices[heap_devices];
    return devices[device];
}

void refuse(const char* call, const std::string& why, Status status) {
    throw Error(status, std::string("[cuda] ") + call + ": " + why);
}

void enter(const char* call) {
    require_device(current);
    const std::string& sticky = device_state(current).sticky;
    if (!sticky.empty()) refuse(call, "an earlier kernel failed: " + sticky, Status::device_lost);
}

}  // namespace sim

using namespace sim;

Probe probe() {
    Probe found{Availability::ready, 0, version, version, "580.00 (simulated)", ""};
    found.state = setup().fault;
    const Setup& words = setup();
    std::string detail = "libcuda.so.1: cannot open shared object file";
    if (found.state == Availability::hidden_by_environment) detail = "-1";
    if (found.state == Availability::no_device) detail.clear();
    if (found.state == Availability::ready && !runs_on(words.built_for, words.capability)) {
        found.state = Availability::other_architecture;
        detail = architecture_text(words.built_for, 0, "Simulated GPU", words.capability);
    }
    if (found.state == Availability::ready) {
        found.device_count = setup().devices;
        return found;
    }
    if (found.state == Availability::no_driver) {
        found.driver_version = 0;
        found.driver_release.clear();
    } else if (found.state == Availability::driver_too_old) {
        found.driver_version = 12040;
        found.driver_release = "550.54.15";
    }
    found.message = fault_text(found, detail);
    return found;
}

void require_device(int device) {
    const Probe found = probe();
    if (found.state != Availability::ready) throw Error(Status::invalid_argument, found.message);
    check_device_index(device, found.device_count);
}

void require_code(int device) { require_device(device); }

int device_count() { return probe().device_count; }

DeviceProperties device_properties(int device) {
    require_device(device);
    return {"Simulated GPU", setup().capability,   16, static_cast<int>(227 * 1024),
            32 << 20,        setup().memory_bytes, 1};
}

int current_device() { return current; }

void set_device(int device) {
    require_device(device);
    current = device;
}

void DeviceScope::restore(int device) noexcept { current = device; }

MemoryInfo memory_info() {
    std::lock_guard lock(runtime_mutex());
    enter("memory_info");
    const size_t total = setup().memory_bytes, live = heap_live_bytes(current);
    return {live < total ? total - live : 0, total};
}

std::string sticky_error() {
    std::lock_guard lock(runtime_mutex());
    return device_state(current).sticky;
}

namespace {
void* allocate_on_current(const char* call, size_t bytes) {
    std::lock_guard lock(runtime_mutex());
    enter(call);
    if (bytes == 0) return nullptr;
    if (heap_live_bytes(current) + bytes > setup().memory_bytes) return nullptr;
    return heap_allocate(current, bytes);
}

void release_checked(const char* call, void* data) {
    std::lock_guard lock(runtime_mutex());
    if (data == nullptr) return;
    if (!heap_release(data)) refuse(call, "the pointer is no allocation, or was released before");
}
}  // namespace

void* allocate(size_t bytes) {
    refuse_in_capture("allocate");
    return allocate_on_current("allocate", bytes);
}
void release(void* data) {
    refuse_in_capture("release");
    // As cudaFree does.
    if (data != nullptr) count(Work::host_wait);
    release_checked("release", data);
}
void* allocate_async(size_t bytes, Stream) {
    refuse_in_capture("allocate_async");
    return allocate_on_current("allocate_async", bytes);
}
void release_async(void* data, Stream) {
    refuse_in_capture("release_async");
    release_checked("release_async", data);
}

void* allocate_host(size_t bytes) {
    std::lock_guard lock(runtime_mutex());
    enter("allocate_host");
    return bytes == 0 ? nullptr : pinned_allocate(bytes);
}
void release_host(void* data) {
    std::lock_guard lock(runtime_mutex());
    if (data != nullptr && !pinned_release(data))
        refuse("release_host", "the pointer is no page-locked block");
}

void note_in_use(void* data, size_t bytes, size_t capacity) {
    std::lock_guard lock(runtime_mutex());
    if (!heap_note_in_use(data, bytes, capacity)) {
        refuse("note_in_use", "the block lies in no allocation, or does not begin at a multiple of 8 bytes");
    }
}

}  // namespace nativegrad::cuda
