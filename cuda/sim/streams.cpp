// Streams, events and launches of the simulated runtime. Work runs at once, in the order of the calls; what a
// real runtime refuses is refused.
#include <algorithm>
#include <cstdlib>

#include "device/launch.h"
#include "runtime/counts.h"
#include "sim/control.h"
#include "sim/delays.h"
#include "sim/heap.h"
#include "sim/lanes.h"
#include "sim/stream_state.h"
#include "sim/submit.h"

namespace nativegrad::cuda {

namespace sim {

thread_local Capture* thread_capture = nullptr;

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

void submit(const char* call, Stream stream, std::string name, std::function<void()> work) {
    StreamState* state = stream_state(call, stream);
    if (state->device != current_device()) {
        refuse(call,
               "the stream belongs to cuda:" + std::to_string(state->device) +
                   ", the current device is cuda:" + std::to_string(current_device()),
               Status::invalid_argument);
    }
    ++state->work;
    sleep_on_host(setup().launch_cost_ms);
    if (state->capture != nullptr) {
        std::vector<Node>& nodes = state->capture->nodes;
        nodes.push_back({std::move(name), std::move(work), std::move(state->last)});
        state->last = {nodes.size() - 1};
        return;
    }
    state->done = done_after(state->done);
    const double start = now_ms();
    work();
    if (state->hold != nullptr) state->hold->worked += now_ms() - start;
}

namespace {

uint64_t launches = 0;

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

}  // namespace

uint64_t launch_count() { return launches; }

void submit_work(const char* call, Stream stream, std::string name, std::function<void()> work) {
    std::lock_guard lock(runtime_mutex());
    enter(call);
    submit(call, stream, std::move(name), std::move(work));
}

static void load_code_locked(const std::string& kernel) {
    Device& device = device_state(current_device());
    if (device.loaded.count(kernel) > 0) return;
    const std::string call = "launch of " + kernel;
    if (thread_capture != nullptr) {
        thread_capture->invalid = kernel + " was launched for the first time while a stream was captured";
        refuse(call.c_str(), "its code is not loaded yet, and this thread captures a stream");
    }
    if (setup().code_bytes > 0 && memory_info().free_bytes < setup().code_bytes)
        refuse(call.c_str(), "out of memory", Status::out_of_memory);
    device.loaded.insert(kernel);
}

void load_code(const std::string& kernel) {
    std::lock_guard lock(runtime_mutex());
    enter("load_code");
    load_code_locked(kernel);
}

void enqueue(const KernelCall& call, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("launch");
    cuda::detail::check_grid(call.kernel, call.grid);
    load_code_locked(call.kernel);
    count(Work::launch);
    submit("launch", stream, call.kernel, [call, device = current_device()] { run_kernel(call, device); });
}

}  // namespace sim

using namespace sim;

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
    free_stream(*state);
    for (EventState* event : live<EventState>()) {
        if (event->stream == state) event->stream = nullptr;
    }
    forget<StreamState>("destroy", stream.handle, "the stream");
}

void synchronize(Stream stream) {
    std::unique_lock lock(runtime_mutex());
    enter("synchronize");
    refuse_in_capture("synchronize");
    count(Work::host_wait);
    StreamState* state = stream_state("synchronize", stream);
    free_stream(*state);
    wait_until(state->done, lock);
}

void synchronize_device() {
    std::unique_lock lock(runtime_mutex());
    enter("synchronize_device");
    refuse_in_capture("synchronize_device");
    count(Work::host_wait);
    double done = default_stream(current_device()).done;
    for (StreamState* stream : live<StreamState>()) {
        if (stream->device != current_device()) continue;
        free_stream(*stream);
        done = std::max(done, stream->done);
    }
    wait_until(done, lock);
}

bool is_done(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("is_done");
    refuse_in_capture("is_done");
    const StreamState* state = stream_state("is_done", stream);
    return state->hold == nullptr && is_past(state->done);
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
        state->last.clear();
        waited->capture->joined.insert(state);
    }
    state->last.insert(waited->last.begin(), waited->last.end());
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
    state->last = on->last;
    state->held = on->hold != nullptr;
    state->milliseconds = state->held ? on->hold->worked : now_ms();
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
    count(Work::host_wait);
    EventState* state = finished_event("synchronize", event);
    if (state->held && state->stream != nullptr) free_stream(*state->stream);
    wait_until(state->done, lock);
}

bool is_done(Event event) {
    std::lock_guard lock(runtime_mutex());
    enter("is_done");
    refuse_in_capture("is_done");
    const EventState* state = finished_event("is_done", event);
    return !state->held && is_past(state->done);
}

float elapsed_ms(Event start, Event end) {
    std::lock_guard lock(runtime_mutex());
    enter("elapsed_ms");
    const EventState* from = finished_event("elapsed_ms", start);
    const EventState* to = finished_event("elapsed_ms", end);
    if (from->held || to->held) refuse("elapsed_ms", "the events are not done: their stream is held");
    if (!from->timing || !to->timing || !from->recorded || !to->recorded) {
        refuse("elapsed_ms", "both events must be made for timing and recorded", Status::invalid_argument);
    }
    return static_cast<float>(to->milliseconds - from->milliseconds);
}

}  // namespace nativegrad::cuda
