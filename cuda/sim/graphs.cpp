// Captures and graphs of the simulated runtime: the work of a captured stream is kept and run again.
#include <algorithm>
#include <numeric>

#include "runtime/counts.h"
#include "sim/control.h"
#include "sim/order.h"
#include "sim/stream_state.h"

namespace nativegrad::cuda {

namespace sim {

namespace {

struct GraphState {
    std::vector<Node> nodes;
};

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

void refuse_in_capture(const char* call) {
    if (thread_capture == nullptr) return;
    thread_capture->invalid = std::string(call) + " was called while a stream was captured";
    refuse(call, "not allowed while this thread captures a stream");
}

}  // namespace sim

using namespace sim;

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
    state->last.clear();
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
    bool has_room = false;  // on the device
};

void take_room(const char* call, ExecState& exec) {
    if (exec.has_room) return;
    int64_t taken = 0;
    for (const ExecState* other : live<ExecState>()) taken += other->has_room ? 1 : 0;
    if (taken >= setup().graph_room) refuse(call, "out of memory", Status::out_of_memory);
    exec.has_room = true;
}

// The nodes in an order that their edges allow: that of the capture, or one that the seed chooses for this
// launch.
void run_nodes(const std::vector<Node>& nodes) {
    static uint64_t launches = 0;
    Random random(setup().seed + ++launches);
    std::vector<size_t> waiting(nodes.size());
    std::iota(waiting.begin(), waiting.end(), size_t{0});
    std::vector<bool> is_done(nodes.size(), false);
    while (!waiting.empty()) {
        std::vector<size_t> ready;  // places in `waiting`
        for (size_t i = 0; i < waiting.size(); ++i) {
            const Numbers& after = nodes[waiting[i]].after;
            if (std::all_of(after.begin(), after.end(), [&](size_t node) { return is_done[node]; }))
                ready.push_back(i);
            if (setup().seed == 0 && !ready.empty()) break;
        }
        const size_t at = ready[random.next() % ready.size()], node = waiting[at];
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
        nodes[node].run();
        is_done[node] = true;
    }
}

}  // namespace

GraphExec instantiate(Graph graph) {
    std::lock_guard lock(runtime_mutex());
    enter("instantiate");
    if (setup().no_graph) refuse("instantiate", "out of memory", Status::out_of_memory);
    ExecState* exec = new ExecState{checked<GraphState>("instantiate", graph.handle, "the graph")->nodes};
    live<ExecState>().insert(exec);
    return {exec};
}

void upload(GraphExec exec, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("upload");
    stream_state("upload", stream);
    take_room("upload", *checked<ExecState>("upload", exec.handle, "the executable graph"));
}

bool update(GraphExec exec, Graph graph) {
    std::lock_guard lock(runtime_mutex());
    enter("update");
    ExecState* state = checked<ExecState>("update", exec.handle, "the executable graph");
    const std::vector<Node>& nodes = checked<GraphState>("update", graph.handle, "the graph")->nodes;
    if (nodes.size() != state->nodes.size()) return false;
    for (size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].name != state->nodes[i].name || nodes[i].after != state->nodes[i].after) return false;
    }
    state->nodes = nodes;
    return true;
}

void launch_graph(GraphExec exec, Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("launch_graph");
    count(Work::graph_launch);
    ExecState* state = checked<ExecState>("launch_graph", exec.handle, "the executable graph");
    take_room("launch_graph", *state);
    // A copy: the graph may be destroyed while work of it is recorded in another.
    submit("launch_graph", stream, "graph", [nodes = state->nodes] { run_nodes(nodes); });
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
