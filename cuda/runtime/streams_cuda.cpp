#include "runtime/check_cuda.h"
#include "runtime/counts.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

cudaEvent_t event_of(Event event) { return static_cast<cudaEvent_t>(event.handle); }
cudaGraph_t graph_of(Graph graph) { return static_cast<cudaGraph_t>(graph.handle); }
cudaGraphExec_t exec_of(GraphExec exec) { return static_cast<cudaGraphExec_t>(exec.handle); }

bool unless_not_ready(cudaError_t status, const char* call) {
    if (status == cudaErrorNotReady) {
        cudaGetLastError();
        return false;
    }
    check(status, call);
    return true;
}

}  // namespace

Stream create_stream(int priority) {
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "create_stream");
    const int given = priority < 0 ? greatest : least;
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, given), "create_stream");
    return {stream};
}

void destroy(Stream stream) {
    if (stream.handle != nullptr) check(cudaStreamDestroy(native(stream.handle)), "destroy");
}

void synchronize(Stream stream) {
    count(Work::host_wait);
    check(cudaStreamSynchronize(native(stream.handle)), "synchronize");
}

bool is_done(Stream stream) { return unless_not_ready(cudaStreamQuery(native(stream.handle)), "is_done"); }

void wait_event(Stream stream, Event event) {
    check(cudaStreamWaitEvent(native(stream.handle), event_of(event), 0), "wait_event");
}

Event create_event(bool timing) {
    cudaEvent_t event = nullptr;
    const unsigned flags = timing ? cudaEventDefault : cudaEventDisableTiming;
    check(cudaEventCreateWithFlags(&event, flags), "create_event");
    return {event};
}

void destroy(Event event) {
    if (event.handle != nullptr) check(cudaEventDestroy(event_of(event)), "destroy");
}

void record(Event event, Stream stream) {
    check(cudaEventRecord(event_of(event), native(stream.handle)), "record");
}

void synchronize(Event event) {
    count(Work::host_wait);
    check(cudaEventSynchronize(event_of(event)), "synchronize");
}

bool is_done(Event event) { return unless_not_ready(cudaEventQuery(event_of(event)), "is_done"); }

float elapsed_ms(Event start, Event end) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, event_of(start), event_of(end)), "elapsed_ms");
    return milliseconds;
}

void begin_capture(Stream stream) {
    // Only this thread is held to the rules of a capture: other environments go on.
    check(cudaStreamBeginCapture(native(stream.handle), cudaStreamCaptureModeThreadLocal), "begin_capture");
}

Graph end_capture(Stream stream) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(native(stream.handle), &graph), "end_capture");
    return {graph};
}

bool is_capturing(Stream stream) {
    if (stream.handle == nullptr) return false;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(native(stream.handle), &status), "is_capturing");
    return status != cudaStreamCaptureStatusNone;
}

int node_count(Graph graph) {
    size_t count = 0;
    check(cudaGraphGetNodes(graph_of(graph), nullptr, &count), "node_count");
    return static_cast<int>(count);
}

GraphExec instantiate(Graph graph) {
    cudaGraphExec_t exec = nullptr;
    check(cudaGraphInstantiateWithFlags(&exec, graph_of(graph), 0), "instantiate");
    return {exec};
}

void upload(GraphExec exec, Stream stream) {
    check(cudaGraphUpload(exec_of(exec), native(stream.handle)), "upload");
}

bool update(GraphExec exec, Graph graph) {
    cudaGraphExecUpdateResultInfo info{};
    const cudaError_t status = cudaGraphExecUpdate(exec_of(exec), graph_of(graph), &info);
    if (status == cudaErrorGraphExecUpdateFailure) {
        cudaGetLastError();
        return false;
    }
    check(status, "update");
    return true;
}

void launch_graph(GraphExec exec, Stream stream) {
    count(Work::graph_launch);
    check(cudaGraphLaunch(exec_of(exec), native(stream.handle)), "launch_graph");
}

void destroy(Graph graph) {
    if (graph.handle != nullptr) check(cudaGraphDestroy(graph_of(graph)), "destroy");
}

void destroy(GraphExec exec) {
    if (exec.handle != nullptr) check(cudaGraphExecDestroy(exec_of(exec)), "destroy");
}

}  // namespace nativegrad::cuda
