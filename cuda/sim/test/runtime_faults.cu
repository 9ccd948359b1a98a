// What a real runtime refuses or leaves undefined, and the machines without a GPU: found by the simulated
// runtime.
#include "device/device.h"
#include "gemm/cublaslt.h"
#include "runtime/fault_text.h"
#include "sim/control.h"
#include "sim/test/check.h"

namespace nativegrad::cuda::test {

namespace {

// x [n] = 1
__global__ void set_each(float* x, int n) {
    const int i = static_cast<int>(grid_thread_index());
    if (i < n) x[i] = 1;
}

void expect_no_gpu(const char* setup, const std::vector<std::string>& words) {
    sim::apply_setup(setup);
    const Probe found = probe();
    expect(found.state != Availability::ready && found.device_count == 0, "no device");
    for (const std::string& word : words) {
        expect(found.message.find(word) != std::string::npos, word + " is not in: " + found.message);
    }
    expect_error([] { require_device(0); }, words);
    expect_error([] { allocate(16); }, words);
}

}  // namespace

NATIVEGRAD_TEST(machines_without_gpu) {
    expect_no_gpu("fault=no_driver", {"no NVIDIA driver", "libcuda.so.1", "driver 580"});
    expect_no_gpu("fault=driver_too_old",
                  {"too old", "550.54.15", "CUDA 12.4", "CUDA 13.0 needs driver 580"});
    expect_no_gpu("fault=no_device", {"finds no GPU"});
    expect_no_gpu("fault=hidden_by_environment", {"CUDA_VISIBLE_DEVICES", "unset it", "'-1'"});
}

// The variable is blamed only where it names no GPU at all.
NATIVEGRAD_TEST(variable_is_blamed_where_it_hides_all) {
    for (const char* hides : {"", "-1", "-1,0"})
        expect(none_seen(hides) == Availability::hidden_by_environment, hides);
    for (const char* names : {"0", "7", "0,1", "GPU-nonsense"}) {
        const Availability state = none_seen(names);
        expect(state == Availability::no_device, names);
        const std::string said = fault_text({state, 0, 13000, 13000, "", ""}, names);
        expect(said == std::string("[cuda] the NVIDIA driver finds no GPU; CUDA_VISIBLE_DEVICES is '") +
                           names + "' (nvidia-smi lists those of the machine).",
               said);
    }
}

NATIVEGRAD_TEST(lists_of_architectures_may_have_gaps) {
    expect(runs_on("75,,80", 80) && !runs_on("75,,80", 90) && !runs_on(",", 90), "75,,80");
}

NATIVEGRAD_TEST(setup_words_are_checked) {
    expect_error([] { sim::apply_setup("colour=red"); }, {"unknown setup word 'colour'"});
    expect_error([] { sim::apply_setup("fault=none"); }, {"unknown fault 'none'"});
    expect_error([] { sim::apply_setup("devices=9"); }, {"devices must be"});
    sim::apply_setup("devices=1,memory=64K");
    expect(device_count() == 1 && memory_info().total_bytes == 65536, "applied");
}

NATIVEGRAD_TEST(graphs_take_their_room_before_they_run) {
    sim::apply_setup("graph_room=1");
    const Stream stream = create_stream();
    begin_capture(stream);
    const Graph graph = end_capture(stream);
    const GraphExec first = instantiate(graph), second = instantiate(graph);
    upload(first, stream);
    expect_error([&] { upload(second, stream); }, {"upload", "out of memory"});
    expect_error([&] { launch_graph(second, stream); }, {"launch_graph", "out of memory"});
    destroy(first);
    launch_graph(second, stream);
    destroy(second);
    destroy(graph);
    destroy(stream);
}

NATIVEGRAD_TEST(cublaslt_is_missing) {
    sim::apply_setup("fault=no_cublaslt");
    expect(!load_cublaslt().ready, "not ready");
    Product p;
    p.m = p.n = p.k = p.row_a = p.row_b = p.row_c = 1;
    Buffer<float> x(1);
    expect_error([&] { multiply(p, x.data(), x.data(), x.data(), {}, {}); },
                 {"cuBLASLt cannot be opened", "Tried"});
}

NATIVEGRAD_TEST(full_memory_gives_null) {
    sim::apply_setup("memory=1M");
    void* most = allocate(1000000);
    expect(most != nullptr && allocate(100000) == nullptr, "null when full");
    release(most);
    void* again = allocate(100000);
    expect(again != nullptr, "room again");
    release(again);
}

NATIVEGRAD_TEST(handles_that_are_gone) {
    const Stream stream = create_stream();
    const Event event = create_event();
    destroy(event);
    expect_error([&] { record(event, stream); }, {"record", "no live one"});
    expect_error([&] { destroy(event); }, {"no live one"});
    destroy(stream);
    expect_error([&] { synchronize(stream); }, {"the stream is no live one"});
    expect_error([&] { launch<set_each>({1, 32}, stream, nullptr, 0); }, {"no live one"});
    const Event plain = create_event();
    expect_error([&] { elapsed_ms(plain, plain); }, {"made for timing"});
    destroy(plain);
}

NATIVEGRAD_TEST(memory_that_is_gone) {
    float* x = static_cast<float*>(allocate(128));
    release(x);
    expect_error([&] { release(x); }, {"released before"});
    expect_error([&] { fill_bytes(x, 0, 128, {}); }, {"fill_bytes"});
    float host[4] = {};
    Buffer<float> y(2);
    expect_error([&] { copy_to_device(y.data(), host, sizeof host, {}); }, {"holds fewer"});
    expect_error([&] { copy_to_device(host, host, sizeof host, {}); }, {"copy_to_device"});
    expect_error([&] { copy_to_host(y.data(), y.data(), 8, {}); }, {"host address is one of a device"});
    expect_error([&] { release_host(host); }, {"no page-locked block"});
}

NATIVEGRAD_TEST(devices_do_not_mix) {
    Buffer<float> x(32);
    const Stream here = create_stream();
    DeviceScope other(1);
    Buffer<float> y(32);
    expect_error([&] { launch<set_each>({1, 32}, here, y.data(), 32); }, {"the stream belongs to cuda:0"});
    expect_error([&] { copy_on_device(y.data(), x.data(), 128, {}); }, {"two devices"});
    copy_between_devices(y.data(), 1, x.data(), 0, 128, {});
    const Event event = create_event();
    expect_error([&] { record(event, here); }, {"two devices"});
    destroy(event);
    destroy(here);
}

NATIVEGRAD_TEST(captures_that_do_not_close) {
    const Stream one = create_stream(), two = create_stream();
    const Event event = create_event(), early = create_event();
    Buffer<float> x(32);
    expect_error([] { begin_capture({}); }, {"default stream"});
    record(early, two);
    begin_capture(one);
    expect_error([&] { begin_capture(two); }, {"captures a stream already"});
    expect_error([&] { launch<set_each>({1, 32}, {}, x.data(), 32); }, {"not allowed while"});
    expect_error([&] { end_capture(one); }, {"the capture is invalid"});
    begin_capture(one);
    record(event, one);
    wait_event(two, event);
    launch<set_each>({1, 32}, two, x.data(), 32);
    expect_error([&] { end_capture(one); }, {"not waited for"});
    begin_capture(one);
    expect_error([&] { wait_event(one, early); }, {"before the capture"});
    expect_error([&] { end_capture(one); }, {"outside of the capture"});
    expect_error([&] { end_capture(one); }, {"did not begin"});
    begin_capture(one);
    expect_error([] { allocate(16); }, {"not allowed while"});
    expect_error([&] { end_capture(one); }, {"allocate was called"});
    launch<set_each>({1, 32}, two, x.data(), 32);
    for (Stream stream : {one, two}) destroy(stream);
    for (Event each : {event, early}) destroy(each);
}

// A kernel of a graph that fails sticks as any other.
NATIVEGRAD_ACCESS_TEST(graphs_find_faults) {
    const Stream stream = create_stream();
    Buffer<float> x(32);
    begin_capture(stream);
    launch<set_each>({1, 64}, stream, x.data(), 40);
    const Graph graph = end_capture(stream);
    const GraphExec exec = instantiate(graph);
    expect_error([&] { launch_graph(exec, stream); }, {"[set_each]", "past the end"});
    expect_error([&] { launch_graph(exec, stream); }, {"an earlier kernel failed"});
    sim::forget_errors();
    destroy(graph);
    destroy(exec);
    destroy(stream);
}

}  // namespace nativegrad::cuda::test
