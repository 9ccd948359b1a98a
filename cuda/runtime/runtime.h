// The CUDA runtime as the backend uses it: typed handles, one function per call, errors thrown as
// nativegrad::Error with the call's name and the runtime's text. Two bodies: runtime_*.cpp on cudart, and
// sim/ for the simulator. No CUDA header is needed to include this one.
//
// Functions act on the calling thread's current device where no device is named. A failed kernel is reported
// by a later call and stays ("sticky"): from then on every call of the process on that device throws the same
// text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nativegrad::cuda {

constexpr int max_devices = 64;

// Null handles: the device's default stream; no event; no graph.
struct Stream {
    void* handle = nullptr;
};
struct Event {
    void* handle = nullptr;
};
// Captured work, and its executable form.
struct Graph {
    void* handle = nullptr;
};
struct GraphExec {
    void* handle = nullptr;
};

struct DeviceProperties {
    std::string name;
    int capability;  // 90 for 9.0
    int sm_count;
    int max_shared_bytes;  // that one block may ask for
    int l2_bytes;
    size_t memory_bytes;
    int can_pool;  // cudaMallocAsync works
};

struct MemoryInfo {
    size_t free_bytes, total_bytes;
};

// What stands between this process and a GPU.
enum class Availability {
    ready,
    no_driver,
    driver_too_old,
    no_device,
    hidden_by_environment,
    other_architecture,
    broken
};
struct Probe {
    Availability state;
    int device_count;
    int driver_version;          // of CUDA, 13000 for 13.0; 0 without a driver
    int runtime_version;         // that the plugin was built with
    std::string driver_release;  // of the driver itself, "580.65.06"; empty where unknown
    std::string message;         // what is missing and what helps; empty when ready
};

// Never throws and may be called without a driver.
Probe probe();
// Throws probe().message when no device can be used, and for an index that is out of range.
void require_device(int device);
// Throws where the plugin holds no code for the device.
void require_code(int device);

int device_count();
DeviceProperties device_properties(int device);
int current_device();
void set_device(int device);
MemoryInfo memory_info();
// Waits for everything on the current device; reports what failed there.
void synchronize_device();
// The text of the sticky error of the current device, empty where there is none.
std::string sticky_error();

// Sets the device and puts the former one back.
class DeviceScope {
  public:
    explicit DeviceScope(int device) : former_(current_device()) {
        if (device != former_) set_device(device);
    }
    ~DeviceScope() { restore(former_); }
    DeviceScope(const DeviceScope&) = delete;
    DeviceScope& operator=(const DeviceScope&) = delete;

  private:
    static void restore(int device) noexcept;
    int former_;
};

// Null when the device has no memory left (no error, none sticky); throws for anything else.
void* allocate(size_t bytes);
void release(void* data);
// In the order of the stream, from the device's pool; refused where !can_pool.
void* allocate_async(size_t bytes, Stream stream);
void release_async(void* data, Stream stream);
// Page-locked host memory, for copies that do not wait. Null when there is none left.
void* allocate_host(size_t bytes);
void release_host(void* data);

// A caching allocator tells which part of a block is in use: [data, data + bytes) of `capacity`. Nothing on a
// GPU; in the simulator an access outside of it is an error. bytes = 0: the block lies in the cache.
void note_in_use(void* data, size_t bytes, size_t capacity);

void copy_to_device(void* device, const void* host, size_t bytes, Stream stream);
void copy_to_host(void* host, const void* device, size_t bytes, Stream stream);
void copy_on_device(void* to, const void* from, size_t bytes, Stream stream);
void copy_between_devices(void* to, int to_device, const void* from, int from_device, size_t bytes,
                          Stream stream);
void fill_bytes(void* data, int value, size_t bytes, Stream stream);

// Does not wait for the default stream. priority: 0, or -1 for a stream that goes first.
Stream create_stream(int priority = 0);
void destroy(Stream stream);
void synchronize(Stream stream);
bool is_done(Stream stream);
void wait_event(Stream stream, Event event);

// timing: elapsed_ms() may be asked for.
Event create_event(bool timing = false);
void destroy(Event event);
void record(Event event, Stream stream);
void synchronize(Event event);
bool is_done(Event event);
// Both recorded and done.
float elapsed_ms(Event start, Event end);

// What is enqueued on the stream between the two is recorded and not run. Meanwhile this thread may neither
// allocate by allocate() nor wait for anything.
void begin_capture(Stream stream);
Graph end_capture(Stream stream);
bool is_capturing(Stream stream);
int node_count(Graph graph);
GraphExec instantiate(Graph graph);
// Takes what a launch will need of the device, in the order of the stream.
void upload(GraphExec exec, Stream stream);
// True when `exec` was changed to do what `graph` does; false when it must be instantiated anew.
bool update(GraphExec exec, Graph graph);
void launch_graph(GraphExec exec, Stream stream);
void destroy(Graph graph);
void destroy(GraphExec exec);

}  // namespace nativegrad::cuda
