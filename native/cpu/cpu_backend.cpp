#include "cpu/cpu_backend.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <thread>

#include "backend/error.h"
#include "cpu/allocator.h"

namespace nativegrad {

namespace {

int32_t report(ErrorMessage* error, OpCode op, Status status, const char* text) {
    std::snprintf(error->text, sizeof error->text, "[%s] %s", op_name(op), text);
    return static_cast<int32_t>(status);
}

template <class Params, OpCode op, void (*function)(const OpCall&, const Params&)>
int32_t guarded(const OpCall* call, ErrorMessage* error) {
    try {
        function(*call, *static_cast<const Params*>(call->params));
        return 0;
    } catch (const Error& caught) {
        return report(error, op, caught.status, caught.what());
    } catch (const std::bad_alloc&) {
        return report(error, op, Status::out_of_memory, "no memory left for a work buffer");
    } catch (const std::exception& caught) {
        return report(error, op, Status::internal, caught.what());
    }
}

int32_t copy_bytes(DeviceQueue, void* to, const void* from, size_t bytes, ErrorMessage*) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return 0;
}

int32_t begin_read(DeviceQueue, const void* from, size_t bytes, void** read, ErrorMessage* error) {
    try {
        *read = new std::string(static_cast<const char*>(from), bytes);
        return 0;
    } catch (const std::bad_alloc&) {
        std::snprintf(error->text, sizeof error->text, "no memory left for the elements that are read");
        return static_cast<int32_t>(Status::out_of_memory);
    }
}

int32_t finish_read(DeviceQueue, void* read, void* host, ErrorMessage*) {
    std::string* elements = static_cast<std::string*>(read);
    if (host != nullptr && !elements->empty()) std::memcpy(host, elements->data(), elements->size());
    delete elements;
    return 0;
}

int32_t system_memory(int32_t, int64_t* free_bytes, int64_t* total_bytes, ErrorMessage*) {
    *free_bytes = *total_bytes = 0;
#if defined(_SC_AVPHYS_PAGES) && defined(_SC_PHYS_PAGES)
    const int64_t page = sysconf(_SC_PAGESIZE);
    *free_bytes = sysconf(_SC_AVPHYS_PAGES) * page;
    *total_bytes = sysconf(_SC_PHYS_PAGES) * page;
#endif
    return 0;
}

int32_t count_devices(int32_t* count, ErrorMessage*) {
    *count = 1;
    return 0;
}

int32_t describe(int32_t, DeviceInfo* info, ErrorMessage*) {
    *info = {};
    std::snprintf(info->name, sizeof info->name, "CPU");
    info->processors = static_cast<int32_t>(std::thread::hardware_concurrency());
    return 0;
}

int32_t describe_library(LibraryInfo* info, ErrorMessage*) {
    *info = {};
    return 0;
}

int32_t open_queue(int32_t, void** queue, ErrorMessage*) {
    *queue = nullptr;
    return 0;
}

int32_t allocate_on(DeviceQueue, size_t bytes, void** data, ErrorMessage*) {
    *data = cpu::allocate(bytes);
    return static_cast<int32_t>(*data == nullptr ? Status::out_of_memory : Status::ok);
}
void release_on(DeviceQueue, void* data, size_t bytes) { cpu::release(data, bytes); }

}  // namespace

const BackendTable& cpu_backend() {
    static const BackendTable table = {
        backend_abi_hash(),
        "cpu",
        &count_devices,
        &describe,
        [](const char*, const char*) {},
        [](const char*, int32_t) {},
        &describe_library,
        &open_queue,
        [](DeviceQueue) {},
        [](DeviceQueue, ErrorMessage*) -> int32_t { return 0; },
        [](DeviceQueue, MakeRoom, void*) {},
        &allocate_on,
        &release_on,
        &copy_bytes,
        &copy_bytes,
        &begin_read,
        &finish_read,
        &copy_bytes,
        [](int32_t) { return cpu::allocator_stats(); },
        &system_memory,
        [](int32_t, int64_t bytes) { cpu::set_allocator_limit(bytes); },
        [](int32_t) { cpu::reset_allocator_peak(); },
        [](int32_t) { return cpu::empty_allocator_cache(); },
        [] { return WorkCounts{}; },
        nullptr,
        nullptr,
        {
#define X(name, Params, layout) &guarded<Params, OpCode::name, &cpu::name>,
#include "ops/op_table.def"
#undef X
        },
    };
    return table;
}

}  // namespace nativegrad
