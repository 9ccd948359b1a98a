// The runtime: copies, streams, events, graphs. The same on a GPU.
#include <algorithm>
#include <chrono>
#include <thread>

#include "device/device.h"
#include "gemm/choices.h"
#include "runtime/stream_hold.h"
#include "sim/test/check.h"
#ifdef NATIVEGRAD_SIM
#include "sim/control.h"
#endif

namespace nativegrad::cuda::test {

namespace {

// x [n] += by
__global__ void add_to_each(float* x, float by, int n) {
    const int i = static_cast<int>(grid_thread_index());
    if (i < n) x[i] += by;
}

struct OwnStream {
    Stream stream = create_stream();
    ~OwnStream() { destroy(stream); }
};

}  // namespace

NATIVEGRAD_TEST(copies_and_fills) {
    OwnStream own;
    Buffer<int> x(std::vector<int>{1, 2, 3, 4}), y(4);
    copy_on_device(y.data(), x.data(), 4 * sizeof(int), own.stream);
    fill_bytes(y.data() + 1, 0xff, sizeof(int), own.stream);
    synchronize(own.stream);
    expect(is_done(own.stream), "the stream is done");
    expect(y.values() == std::vector<int>{1, -1, 3, 4}, "values");
}

NATIVEGRAD_TEST(page_locked_copies) {
    OwnStream own;
    float* host = static_cast<float*>(allocate_host(64 * sizeof(float)));
    for (int i = 0; i < 64; ++i) host[i] = static_cast<float>(i);
    Buffer<float> x(64);
    copy_to_device(x.data(), host, 64 * sizeof(float), own.stream);
    launch<add_to_each>({1, 64}, own.stream, x.data(), 1, 64);
    copy_to_host(host, x.data(), 64 * sizeof(float), own.stream);
    synchronize(own.stream);
    for (int i = 0; i < 64; ++i) expect(host[i] == static_cast<float>(i + 1), "element");
    release_host(host);
}

NATIVEGRAD_TEST(pool_of_the_stream) {
    OwnStream own;
    if (!device_properties(current_device()).can_pool) return;
    float* x = static_cast<float*>(allocate_async(256, own.stream));
    fill_bytes(x, 0, 256, own.stream);
    launch<add_to_each>({1, 64}, own.stream, x, 2, 64);
    float first = 0;
    copy_to_host(&first, x, sizeof first, own.stream);
    release_async(x, own.stream);
    synchronize(own.stream);
    expect(first == 2, "value");
}

NATIVEGRAD_TEST(events_order_streams) {
    OwnStream one, two;
    const Event start = create_event(true), end = create_event(true);
    Buffer<float> x(std::vector<float>(32, 0));
    synchronize_device();
    record(start, one.stream);
    launch<add_to_each>({1, 32}, one.stream, x.data(), 3, 32);
    record(end, one.stream);
    wait_event(two.stream, end);
    launch<add_to_each>({1, 32}, two.stream, x.data(), 4, 32);
    synchronize(two.stream);
    synchronize(end);
    expect(is_done(end), "the event is done");
    expect(elapsed_ms(start, end) >= 0, "time");
    expect(x.values()[31] == 7, "value");
    destroy(start);
    destroy(end);
}

NATIVEGRAD_CLOCK_TEST(held_stream_has_the_time_of_its_work) {
    OwnStream own;
    const Event start = create_event(true), end = create_event(true);
    Buffer<float> x(std::vector<float>(32, 0));
    launch<add_to_each>({1, 32}, own.stream, x.data(), 3, 32);
    synchronize(own.stream);
    StreamHold hold(own.stream);
    record(start, own.stream);
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    launch<add_to_each>({1, 32}, own.stream, x.data(), 4, 32);
    record(end, own.stream);
    expect(!is_done(end) && !is_done(own.stream), "the stream waits");
    expect(hold.let_go(), "it waited until it was let go");
    expect(!hold.let_go(), "once");
    synchronize(end);
    expect(elapsed_ms(start, end) < 20, "the kernel's time, not the host's");
    expect(x.values()[31] == 7, "value");
    destroy(start);
    destroy(end);
}

NATIVEGRAD_TEST(held_stream_hangs_nobody) {
    OwnStream own;
    const Event end = create_event();
    Buffer<float> x(std::vector<float>(32, 0));
    StreamHold hold(own.stream);
    launch<add_to_each>({1, 32}, own.stream, x.data(), 4, 32);
    record(end, own.stream);
    synchronize(end);
    expect(!hold.let_go(), "it did not wait until it was let go");
    StreamHold unused(own.stream);
    synchronize(own.stream);
    expect(x.values()[0] == 4, "value");
    destroy(end);
}

NATIVEGRAD_CLOCK_TEST(time_of_a_body_is_the_device_s) {
    OwnStream own;
    Buffer<float> x(std::vector<float>(32, 0));
    const double time = milliseconds_of(own.stream, [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(4));
        launch<add_to_each>({1, 32}, own.stream, x.data(), 1, 32);
    });
    expect(time < 2, "the kernel's time, not the host's");
    expect(x.values()[0] == 32, "one run, one that is timed, three rounds of ten");
}

NATIVEGRAD_TEST(graphs_replay) {
    OwnStream one, two;
    const Event fork = create_event(), join = create_event();
    Buffer<float> x(std::vector<float>(32, 0)), y(std::vector<float>(32, 0));
    synchronize_device();
    const auto capture = [&](float by) {
        begin_capture(one.stream);
        record(fork, one.stream);
        wait_event(two.stream, fork);
        launch<add_to_each>({1, 32}, one.stream, x.data(), by, 32);
        launch<add_to_each>({1, 32}, two.stream, y.data(), 2 * by, 32);
        record(join, two.stream);
        wait_event(one.stream, join);
        expect(is_capturing(one.stream), "the stream is captured");
        return end_capture(one.stream);
    };
    Graph graph = capture(1);
    expect(!is_capturing(one.stream), "the capture ended");
    expect(x.values()[0] == 0, "nothing ran while it was captured");
    expect(node_count(graph) == 2, "two kernels");
    const GraphExec exec = instantiate(graph);
    destroy(graph);
    for (int i = 0; i < 3; ++i) launch_graph(exec, one.stream);
    synchronize(one.stream);
    expect(x.values()[31] == 3 && y.values()[31] == 6, "three replays");
    graph = capture(10);
    expect(update(exec, graph), "the same graph with other numbers");
    destroy(graph);
    launch_graph(exec, one.stream);
    synchronize(one.stream);
    expect(x.values()[0] == 13 && y.values()[0] == 26, "the updated graph");
    destroy(exec);
    destroy(fork);
    destroy(join);
}

namespace {

// What two nodes leave of x = 0, y = -1 after many launches: x += 1 on one stream, y = x on another that
// waits for it, or not.
std::vector<float> left_by_graph(bool waits) {
    OwnStream one, two;
    const Event event = create_event();
    Buffer<float> x(std::vector<float>{0}), y(std::vector<float>{-1});
    launch<add_to_each>({1, 1}, one.stream, x.data(), 0, 1);  // its code is loaded
    synchronize_device();
    begin_capture(one.stream);
    if (!waits) record(event, one.stream);
    launch<add_to_each>({1, 1}, one.stream, x.data(), 1, 1);
    if (waits) record(event, one.stream);
    wait_event(two.stream, event);
    copy_on_device(y.data(), x.data(), sizeof(float), two.stream);
    record(event, two.stream);
    wait_event(one.stream, event);
    const Graph graph = end_capture(one.stream);
    const GraphExec exec = instantiate(graph);
    destroy(graph);
    upload(exec, one.stream);
    std::vector<float> seen;
    for (int i = 0; i < 32; ++i) {
        launch_graph(exec, one.stream);
        synchronize(one.stream);
        seen.push_back(x.values()[0] - y.values()[0]);
    }
    destroy(exec);
    destroy(event);
    return seen;
}

}  // namespace

NATIVEGRAD_TEST(graphs_keep_the_order_of_their_edges) {
    for (const float behind : left_by_graph(true)) expect(behind == 0, "the copy came after the sum");
}

#ifdef NATIVEGRAD_SIM
// A GPU may do them in the order of the capture each time.
NATIVEGRAD_TEST(a_missing_edge_shows) {
    const std::vector<float> seen = left_by_graph(false);
    const auto early = std::count(seen.begin(), seen.end(), 1.0f);
    if (sim::setup().seed == 0) return expect(early == 0, "the natural order is that of the capture");
    expect(early > 0 && early < 32, "both orders are among 32 launches");
}
#endif

NATIVEGRAD_TEST(capture_refuses_to_wait) {
    OwnStream own;
    begin_capture(own.stream);
    expect_error([&] { synchronize(own.stream); }, {"synchronize"});
    expect_error([&] { end_capture(own.stream); }, {"end_capture"});
    synchronize_device();
}

NATIVEGRAD_TEST(memory_that_is_not_there) {
    const MemoryInfo before = memory_info();
    expect(before.free_bytes <= before.total_bytes && before.total_bytes > 0, "sizes");
    expect(allocate(before.total_bytes + (size_t{1} << 30)) == nullptr, "more than there is");
    expect(allocate(0) == nullptr, "nothing");
    synchronize_device();
}

NATIVEGRAD_TEST(devices_are_checked) {
    expect_error([] { require_device(device_count()); }, {"there is no device cuda:"});
    expect_error([] { set_device(-1); }, {"there is no device cuda:-1"});
    expect(!device_properties(0).name.empty(), "name");
    const int before = current_device();
    { DeviceScope scope(device_count() - 1); }
    expect(current_device() == before, "the device is put back");
}

}  // namespace nativegrad::cuda::test
