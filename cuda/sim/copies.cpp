// Copies and fills of the simulated runtime.
#include <cstring>

#include "runtime/counts.h"
#include "runtime/launch_notes.h"
#include "sim/delays.h"
#include "sim/heap.h"
#include "sim/stream_state.h"

namespace nativegrad::cuda {

using namespace sim;

namespace {

void check_device_range(const char* call, const void* data, size_t bytes) {
    if (!may_touch_range(data, bytes)) {
        char where[200];
        describe_address(data, where, sizeof where);
        refuse(call, std::to_string(bytes) + " bytes at a device address that holds fewer: " + where,
               Status::invalid_argument);
    }
}

void check_host(const char* call, const void* data) {
    if (in_heap(data)) refuse(call, "the host address is one of a device", Status::invalid_argument);
}

}  // namespace

void copy_to_device(void* device, const void* host, size_t bytes, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("copy_to_device");
    if (bytes == 0) return;
    check_device_range("copy_to_device", device, bytes);
    check_host("copy_to_device", host);
    count(Work::copy_to_device);
    submit("copy_to_device", stream, "copy_to_device", [=] { std::memcpy(device, host, bytes); });
}

void copy_to_host(void* host, const void* device, size_t bytes, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("copy_to_host");
    if (bytes == 0) return;
    check_device_range("copy_to_host", device, bytes);
    check_host("copy_to_host", host);
    count(Work::copy_to_host);
    submit("copy_to_host", stream, "copy_to_host",
           [=] { copy_to_host_at(stream_state("copy_to_host", stream)->done, host, device, bytes); });
}

void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
    if (note_alone("copy_on_device", stream, [=](Stream on) { copy_on_device(to, from, bytes, on); })) return;
    std::lock_guard lock(runtime_mutex());
    enter("copy_on_device");
    if (bytes == 0) return;
    check_device_range("copy_on_device", to, bytes);
    check_device_range("copy_on_device", from, bytes);
    if (heap_device(to) != heap_device(from)) {
        refuse("copy_on_device", "the addresses are of two devices: copy_between_devices()",
               Status::invalid_argument);
    }
    submit("copy_on_device", stream, "copy_on_device", [=] { std::memmove(to, from, bytes); });
}

void copy_between_devices(void* to, int to_device, const void* from, int from_device, size_t bytes,
                          Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("copy_between_devices");
    if (bytes == 0) return;
    check_device_range("copy_between_devices", to, bytes);
    check_device_range("copy_between_devices", from, bytes);
    if (heap_device(to) != to_device || heap_device(from) != from_device) {
        refuse("copy_between_devices", "an address is not of the device that was named",
               Status::invalid_argument);
    }
    submit("copy_between_devices", stream, "copy_between_devices", [=] { std::memcpy(to, from, bytes); });
}

void fill_bytes(void* data, int value, size_t bytes, Stream stream) {
    if (note_alone("fill_bytes", stream, [=](Stream on) { fill_bytes(data, value, bytes, on); })) return;
    std::lock_guard lock(runtime_mutex());
    enter("fill_bytes");
    if (bytes == 0) return;
    check_device_range("fill_bytes", data, bytes);
    submit("fill_bytes", stream, "fill_bytes", [=] { std::memset(data, value, bytes); });
}

}  // namespace nativegrad::cuda
