// The table that the plugin hands to the addon. Nothing is thrown across it.
#include <cstdio>

#include "backend/allocator.h"
#include "backend/device_marks.h"
#include "backend/error.h"
#include "backend/guarded.h"
#include "backend/ops.h"
#include "backend/plugin.h"
#include "gemm/choices.h"
#include "gemm/cublaslt.h"
#include "graph/graph_table.h"
#include "runtime/counts.h"

namespace nativegrad::cuda {

namespace {

Queue& queue_of(DeviceQueue where) { return *static_cast<Queue*>(where.queue); }

template <class Params, OpCode op, void (*function)(const OpCall&, const Params&, Queue&)>
int32_t run(const OpCall* call, ErrorMessage* error) {
    return guarded(error, op_name(op), [&] {
        Queue& queue = queue_of(call->where);
        const DeviceScope device(queue.ordinal());
        const Params& params = *static_cast<const Params*>(call->params);
        LiveValues* const live = queue.live_values();
        if (live == nullptr || !live->is_recording()) return function(*call, params, queue);
        function(*call, live->hidden(params), queue);
    });
}

int32_t count_devices(int32_t* count, ErrorMessage* error) {
    return guarded(error, "cuda", [&] {
        const Probe found = probe();
        if (found.state != Availability::ready) throw Error(Status::invalid_argument, found.message);
        *count = found.device_count;
    });
}

int32_t describe(int32_t ordinal, DeviceInfo* info, ErrorMessage* error) {
    return guarded(error, "cuda.deviceInfo", [&] {
        const DeviceProperties properties = device_properties(ordinal);
        const Probe found = probe();
        *info = {};
        std::snprintf(info->name, sizeof info->name, "%s", properties.name.c_str());
        info->memory_bytes = static_cast<int64_t>(properties.memory_bytes);
        info->major = properties.capability / 10;
        info->minor = properties.capability % 10;
        info->processors = properties.sm_count;
        info->driver = found.driver_version;
        info->runtime = found.runtime_version;
    });
}

void name_library(const char* only, const char* also) {
    ErrorMessage ignored;
    guarded(&ignored, "cuda", [&] { name_cublaslt(only, also); });
}

void configure_products(const char* file, int32_t deterministic) {
    ErrorMessage ignored;
    guarded(&ignored, "cuda", [&] { configure_choices(file, deterministic != 0); });
}

int32_t describe_library(LibraryInfo* info, ErrorMessage* error) {
    return guarded(error, "cuda", [&] {
        const LibraryState state = load_cublaslt();
        if (!state.ready) throw Error(Status::invalid_argument, state.message);
        *info = {};
        std::snprintf(info->path, sizeof info->path, "%s", state.path.c_str());
        std::snprintf(info->choices, sizeof info->choices, "%s", describe_choices().c_str());
        info->version = static_cast<int64_t>(state.version);
    });
}

int32_t open(int32_t ordinal, void** queue, ErrorMessage* error) {
    return guarded(error, "cuda", [&] { *queue = &open_queue(ordinal); });
}

int32_t wait(DeviceQueue where, ErrorMessage* error) {
    return guarded(error, "cuda.synchronize", [&] { queue_of(where).synchronize(); });
}

void set_make_room(DeviceQueue where, MakeRoom make_room, void* owner) {
    queue_of(where).set_make_room(make_room, owner);
}

void close(DeviceQueue where) {
    // What failed there can no longer be told to anyone.
    ErrorMessage ignored;
    wait(where, &ignored);
    set_make_room(where, nullptr, nullptr);
    close_queue(queue_of(where));
}

int32_t allocate_memory(DeviceQueue where, size_t bytes, void** data, ErrorMessage* error) {
    int32_t status = 0;
    const int32_t thrown = guarded(error, "cuda", [&] {
        *data = allocate_block(queue_of(where), bytes);
        if (*data == nullptr)
            status = report(error, Status::out_of_memory, memory_text(where.ordinal).c_str());
    });
    return thrown != 0 ? thrown : status;
}

void release_memory(DeviceQueue where, void* data, size_t bytes) {
    ErrorMessage ignored;
    guarded(&ignored, "cuda", [&] { release_block(queue_of(where), data, bytes); });
}

int32_t copy_from(DeviceQueue where, void* to, const void* host, size_t bytes, ErrorMessage* error) {
    return guarded(error, "tensor", [&] {
        Queue& queue = queue_of(where);
        const DeviceScope device(queue.ordinal());
        queue.staging().to_device(to, host, bytes, queue.stream());
    });
}

int32_t copy_to(DeviceQueue where, void* host, const void* from, size_t bytes, ErrorMessage* error) {
    return guarded(error, "data", [&] {
        Queue& queue = queue_of(where);
        const DeviceScope device(queue.ordinal());
        queue.staging().to_host(host, from, bytes, queue.stream());
        queue.synchronize();
    });
}

int32_t start_read(DeviceQueue where, const void* from, size_t bytes, void** read, ErrorMessage* error) {
    return guarded(error, "data", [&] { *read = queue_of(where).reads().begin(from, bytes); });
}

int32_t end_read(DeviceQueue where, void* read, void* host, ErrorMessage* error) {
    return guarded(error, "data",
                   [&] { queue_of(where).reads().finish(static_cast<Reads::Read*>(read), host); });
}

int32_t free_memory(int32_t ordinal, int64_t* free_bytes, int64_t* total_bytes, ErrorMessage* error) {
    return guarded(error, "cuda.memoryInfo", [&] {
        const DeviceScope device(ordinal);
        const MemoryInfo info = memory_info();
        *free_bytes = static_cast<int64_t>(info.free_bytes);
        *total_bytes = static_cast<int64_t>(info.total_bytes);
    });
}

int32_t copy_within(DeviceQueue where, void* to, const void* from, size_t bytes, ErrorMessage* error) {
    return guarded(error, "copy", [&] {
        Queue& queue = queue_of(where);
        const DeviceScope device(queue.ordinal());
        if (bytes > 0) copy_on_device(to, from, bytes, queue.stream());
    });
}

int64_t give_back_cache(int32_t ordinal) {
    int64_t freed = 0;
    ErrorMessage ignored;
    guarded(&ignored, "cuda", [&] { freed = empty_cache(ordinal); });
    return freed;
}

void limit_memory(int32_t ordinal, int64_t bytes) {
    ErrorMessage ignored;
    guarded(&ignored, "cuda", [&] { set_memory_limit(ordinal, bytes); });
}

const BackendTable& table() {
    static const BackendTable result = {
        backend_abi_hash(),
        "cuda",
        &count_devices,
        &describe,
        &name_library,
        &configure_products,
        &describe_library,
        &open,
        &close,
        &wait,
        &set_make_room,
        &allocate_memory,
        &release_memory,
        &copy_from,
        &copy_to,
        &start_read,
        &end_read,
        &copy_within,
        &memory_stats,
        &free_memory,
        &limit_memory,
        &reset_peak,
        &give_back_cache,
        &work_counts,
        &graph_table(),
        &mark_table(),
        {
#define X(name, Params, layout) &run<Params, OpCode::name, &ops::name>,
#include "ops/op_table.def"
#undef X
        },
    };
    return result;
}

}  // namespace

}  // namespace nativegrad::cuda

extern "C" __attribute__((visibility("default"))) const nativegrad::BackendTable* nativegrad_plugin(
    uint64_t host_abi_hash, nativegrad::ErrorMessage* error) {
    using namespace nativegrad;
    if (host_abi_hash == backend_abi_hash()) return &cuda::table();
    std::snprintf(error->text, sizeof error->text, "addon %016llx, plugin %016llx",
                  static_cast<unsigned long long>(host_abi_hash),
                  static_cast<unsigned long long>(backend_abi_hash()));
    return nullptr;
}
