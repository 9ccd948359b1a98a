// Streams, events, graphs and launches of the simulated runtime. Work runs at once, in the order of the
// calls; what a real runtime refuses is refused.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <vector>

#include "device/launch.h"
#include "sim/control.h"
#include "sim/delays.h"
#include "sim/device_state.h"
#include "sim/heap.h"
#include "sim/lanes.h"
#include "sim/submit.h"

namespace nativegrad::cuda {

namespace sim {

namespace {

struct Node {
    std::string name;
    std::function<void()> run;
};

struct Capture {
    struct StreamState* origin;
    std::vector<Node> nodes;
    std::set<struct StreamState*> joined;
    std::string invalid;  // why it cannot be ended well
};

struct StreamState {
    int device;
    Capture* capture = nullptr;
    // Of a stream that joined a capture by an event: its work, and how much of it others waited for.
    uint64_t work = 0, waited = 0;
    double done = 0;  // when its work is done (sim/delays.h)
};

struct EventState {
    int device;
    bool timing, recorded = false;
    double milliseconds = 0;
    Capture* capture = nullptr;
    StreamState* stream = nullptr;
    uint64_t work = 0;
    double done = 0;
};

struct GraphState {
    std::vector<Node> nodes;
};

template <class T>
std::set<T*>& live() {
    static std::set<T*>* const handles = new std::set<T*>;
    return *handles;
}

template <class T>
T* checked(const char* call, void* handle, const char* what) {
    T* state = static_cast<T*>(handle);
    if (live<T>().count(state) == 0) {
        refuse(call, std::string(what) + " is no live one: it was destroyed, or never made",
               Status::invalid_argument);
    }
    return state;
}

template <class T>
void forget(const char* call, void* handle, const char* what) {
    T* state = checked<T>(call, handle, what);
    live<T>().erase(state);
    delete state;
}

thread_local Capture* thread_capture = nullptr;
uint64_t launches = 0;

StreamState& default_stream(int device) {
    static StreamState streams[heap_devices];
    streams[device].device = device;
    return streams[device];
}

StreamState* stream_state(const char* call, Stream stream) {
    if (stream.handle == nullptr) {
        // The default stream waits for the others, which a capture cannot.
        refuse_in_capture(call);
        return &default_stream(current_device());
    }
    return checked<StreamState>(call, stream.handle, "the stream");
}

// Runs the work, or records it where the stream is captured.
void submit(const char* call, Stream stream, std::string name, std::function<void()> work) {
    StreamState* state = stream_state(call, stream);
    if (state->device != current_device()) {
        refuse(call,
               "the stream belongs to cuda:" + std::to_string(state->device) +
                   ", the current device is cuda:" + std::to_string(current_device()),
               Status::invalid_argument);
    }
    ++state->work;
    if (state->capture != nullptr) {
        state->capture->nodes.push_back({std::move(name), std::move(work)});
        return;
    }
    state->done = done_after(state->done);
    work();
}

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

// A process may end while another thread launches: what is destroyed then is used no more.
void stop_at_exit() {
    static const int registered = std::atexit([] { runtime_mutex().lock(); });
    (void)registered;
}

void run_kernel(const KernelCall& call, int device) {
    stop_at_exit();
    ++launches;
    const std::string error =
        launches == setup().failing_launch
            ? call.kernel + ": illegal memory access (this launch is to fail)"
            : run_grid(call, device, setup().seed == 0 ? 0 : setup().seed + 0x9e37u * launches);
    if (error.empty()) return;
    device_state(device).sticky = error;
    throw Error(Status::device_lost, "[cuda] " + error);
}

void end_thread_capture(Capture* capture) {
    for (StreamState* stream : live<StreamState>()) {
        if (stream->capture == capture) stream->capture = nullptr;
    }
    for (EventState* event : live<EventState>()) {
        if (event->capture == capture) event->capture = nullptr;
    }
    thread_capture = nullptr;
}

}  // namespace

uint64_t launch_count() { return launches; }

void refuse_in_capture(const char* call) {
    if (thread_capture == nullptr) return;
    thread_capture->invalid = std::string(call) + " was called while a stream was captured";
    refuse(call, "not allowed while this thread captures a stream");
}

void submit_work(const char* call, Stream stream, std::string name, std::function<void()> work) {
    std::lock_guard lock(runtime_mutex());
    enter(call);
    submit(call, stream, std::move(name), std::move(work));
}

// As the driver does at the first launch, where the setup gives kernels a size.
static void load_code(const std::string& kernel) {
    Device& device = device_state(current_device());
    if (setup().code_bytes == 0 || device.loaded.count(kernel) > 0) return;
    if (memory_info().free_bytes < setup().code_bytes)
        refuse(("launch of " + kernel).c_str(), "out of memory", Status::out_of_memory);
    device.loaded.insert(kernel);
}

void enqueue(const KernelCall& call, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("launch");
    cuda::detail::check_grid(call.kernel, call.grid);
    load_code(call.kernel);
    submit("launch", stream, call.kernel, [call, device = current_device()] { run_kernel(call, device); });
}

}  // namespace sim

using namespace sim;

void copy_to_device(void* device, const void* host, size_t bytes, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("copy_to_device");
    if (bytes == 0) return;
    check_device_range("copy_to_device", device, bytes);
    check_host("copy_to_device", host);
    submit("copy_to_device", stream, "copy_to_device", [=] { std::memcpy(device, host, bytes); });
}

void copy_to_host(void* host, const void* device, size_t bytes, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("copy_to_host");
    if (bytes == 0) return;
    check_device_range("copy_to_host", device, bytes);
    check_host("copy_to_host", host);
    submit("copy_to_host", stream, "copy_to_host",
           [=] { copy_to_host_at(stream_state("copy_to_host", stream)->done, host, device, bytes); });
}

void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
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
    std::lock_guard lock(runtime_mutex());
    enter("fill_bytes");
    if (bytes == 0) return;
    check_device_range("fill_bytes", data, bytes);
    submit("fill_bytes", stream, "fill_bytes", [=] { std::memset(data, value, bytes); });
}

Stream create_stream(int) {
    std::lock_guard lock(runtime_mutex());
    enter("create_stream");
    StreamState* state = new StreamState{current_device()};
    live<StreamState>().insert(state);
    return {state};
}

void destroy(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    if (stream.handle == nullptr) return;
    StreamState* state = checked<StreamState>("destroy", stream.handle, "the stream");
    if (state->capture != nullptr) state->capture->invalid = "a captured stream was destroyed";
    for (EventState* event : live<EventState>()) {
        if (event->stream == state) event->stream = nullptr;
    }
    forget<StreamState>("destroy", stream.handle, "the stream");
}

void synchronize(Stream stream) {
    std::unique_lock lock(runtime_mutex());
    enter("synchronize");
    refuse_in_capture("synchronize");
    wait_until(stream_state("synchronize", stream)->done, lock);
}

void synchronize_device() {
    std::unique_lock lock(runtime_mutex());
    enter("synchronize_device");
    refuse_in_capture("synchronize_device");
    double done = default_stream(current_device()).done;
    for (const StreamState* stream : live<StreamState>()) {
        if (stream->device == current_device()) done = std::max(done, stream->done);
    }
    wait_until(done, lock);
}

bool is_done(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("is_done");
    refuse_in_capture("is_done");
    return is_past(stream_state("is_done", stream)->done);
}

void wait_event(Stream stream, Event event) {
    std::lock_guard lock(runtime_mutex());
    enter("wait_event");
    EventState* waited = checked<EventState>("wait_event", event.handle, "the event");
    if (!waited->recorded) return;
    StreamState* state = stream.handle == nullptr && waited->capture == nullptr
                             ? &default_stream(current_device())
                             : stream_state("wait_event", stream);
    if (waited->capture == nullptr) {
        if (state->capture != nullptr) {
            state->capture->invalid = "a captured stream waited for an event from outside of the capture";
            refuse("wait_event",
                   "a captured stream cannot wait for an event that was recorded before the capture");
        }
        state->done = std::max(state->done, waited->done);
        return;
    }
    if (state->capture == nullptr) {
        state->capture = waited->capture;
        state->work = state->waited = 0;
        waited->capture->joined.insert(state);
    }
    if (waited->stream != nullptr && waited->work > waited->stream->waited)
        waited->stream->waited = waited->work;
    ++state->work;
}

Event create_event(bool timing) {
    std::lock_guard lock(runtime_mutex());
    enter("create_event");
    EventState* state = new EventState{current_device(), timing};
    live<EventState>().insert(state);
    return {state};
}

void destroy(Event event) {
    std::lock_guard lock(runtime_mutex());
    if (event.handle != nullptr) forget<EventState>("destroy", event.handle, "the event");
}

void record(Event event, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("record");
    EventState* state = checked<EventState>("record", event.handle, "the event");
    StreamState* on = stream_state("record", stream);
    if (state->device != on->device) {
        refuse("record", "the event and the stream are of two devices", Status::invalid_argument);
    }
    state->recorded = true;
    state->capture = on->capture;
    state->stream = on;
    state->work = on->work;
    state->milliseconds = now_ms();
    state->done = on->done;
}

namespace {
EventState* finished_event(const char* call, Event event) {
    EventState* state = checked<EventState>(call, event.handle, "the event");
    if (state->capture != nullptr)
        refuse(call, "the event was recorded in a capture and has no time of its own");
    return state;
}
}  // namespace

void synchronize(Event event) {
    std::unique_lock lock(runtime_mutex());
    enter("synchronize");
    refuse_in_capture("synchronize");
    wait_until(finished_event("synchronize", event)->done, lock);
}

bool is_done(Event event) {
    std::lock_guard lock(runtime_mutex());
    enter("is_done");
    refuse_in_capture("is_done");
    return is_past(finished_event("is_done", event)->done);
}

float elapsed_ms(Event start, Event end) {
    std::lock_guard lock(runtime_mutex());
    enter("elapsed_ms");
    const EventState* from = finished_event("elapsed_ms", start);
    const EventState* to = finished_event("elapsed_ms", end);
    if (!from->timing || !to->timing || !from->recorded || !to->recorded) {
        refuse("elapsed_ms", "both events must be made for timing and recorded", Status::invalid_argument);
    }
    return static_cast<float>(to->milliseconds - from->milliseconds);
}

void begin_capture(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("begin_capture");
    if (stream.handle == nullptr) {
        refuse("begin_capture", "the default stream cannot be captured", Status::invalid_argument);
    }
    StreamState* state = stream_state("begin_capture", stream);
    if (state->capture != nullptr || thread_capture != nullptr) {
        refuse("begin_capture", "this thread captures a stream already");
    }
    state->capture = thread_capture = new Capture{state, {}, {}, {}};
    state->work = state->waited = 0;
}

Graph end_capture(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("end_capture");
    StreamState* state = checked<StreamState>("end_capture", stream.handle, "the stream");
    Capture* capture = state->capture;
    if (capture == nullptr || capture != thread_capture || capture->origin != state) {
        refuse("end_capture", "this thread's capture did not begin on the stream");
    }
    for (StreamState* joined : capture->joined) {
        if (live<StreamState>().count(joined) != 0 && joined->waited < joined->work &&
            capture->invalid.empty()) {
            capture->invalid = "another stream joined the capture and was not waited for at its end";
        }
    }
    end_thread_capture(capture);
    const std::string invalid = capture->invalid;
    GraphState* graph = invalid.empty() ? new GraphState{std::move(capture->nodes)} : nullptr;
    delete capture;
    if (graph == nullptr) refuse("end_capture", "the capture is invalid: " + invalid);
    live<GraphState>().insert(graph);
    return {graph};
}

bool is_capturing(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    if (stream.handle == nullptr) return false;
    return checked<StreamState>("is_capturing", stream.handle, "the stream")->capture != nullptr;
}

int node_count(Graph graph) {
    std::lock_guard lock(runtime_mutex());
    return static_cast<int>(checked<GraphState>("node_count", graph.handle, "the graph")->nodes.size());
}

namespace {
// An executable graph is a copy: the graph may be destroyed.
struct ExecState {
    std::vector<Node> nodes;
};
}  // namespace

GraphExec instantiate(Graph graph) {
    std::lock_guard lock(runtime_mutex());
    enter("instantiate");
    ExecState* exec = new ExecState{checked<GraphState>("instantiate", graph.handle, "the graph")->nodes};
    live<ExecState>().insert(exec);
    return {exec};
}

bool update(GraphExec exec, Graph graph) {
    std::lock_guard lock(runtime_mutex());
    enter("update");
    ExecState* state = checked<ExecState>("update", exec.handle, "the executable graph");
    const std::vector<Node>& nodes = checked<GraphState>("update", graph.handle, "the graph")->nodes;
    if (nodes.size() != state->nodes.size()) return false;
    for (size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].name != state->nodes[i].name) return false;
    }
    state->nodes = nodes;
    return true;
}

void launch_graph(GraphExec exec, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("launch_graph");
    // A copy: the graph may be destroyed while work of it is recorded in another.
    const std::vector<Node> nodes =
        checked<ExecState>("launch_graph", exec.handle, "the executable graph")->nodes;
    submit("launch_graph", stream, "graph", [nodes] {
        for (const Node& node : nodes) node.run();
    });
}

void destroy(Graph graph) {
    std::lock_guard lock(runtime_mutex());
    if (graph.handle != nullptr) forget<GraphState>("destroy", graph.handle, "the graph");
}
void destroy(GraphExec exec) {
    std::lock_guard lock(runtime_mutex());
    if (exec.handle != nullptr) forget<ExecState>("destroy", exec.handle, "the executable graph");
}

}  // namespace nativegrad::cuda
