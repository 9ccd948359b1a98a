#include "backend/registry.h"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif

#include <atomic>
#include <mutex>

#include "backend/error.h"
#include "backend/plugin.h"
#include "cpu/cpu_backend.h"

namespace nativegrad {

namespace {

// A plugin is never unloaded: its threads and its driver's run on until the process ends.
struct Plugin {
    std::mutex loading;
    std::atomic<const BackendTable*> table{nullptr};
    std::atomic<int32_t> devices{0};
};

Plugin& plugin() {
    static Plugin* const instance = new Plugin;
    return *instance;
}

#if defined(__unix__) || defined(__APPLE__)
PluginEntry entry_of(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) fail("[cuda] the plugin cannot be loaded: %s", dlerror());
    void* symbol = dlsym(library, NATIVEGRAD_PLUGIN_ENTRY);
    if (symbol == nullptr) fail("[cuda] %s is no plugin of nativegrad", path);
    return reinterpret_cast<PluginEntry>(symbol);
}
#else
PluginEntry entry_of(const char*) { fail("[cuda] plugins are loaded on Linux only"); }
#endif

// A table with an empty slot would crash at the first use of it.
void require_complete(const BackendTable& table, const char* path) {
    for (int32_t op = 0; op < op_count; ++op) {
        if (table.ops[op] == nullptr)
            fail("[cuda] %s has no function for %s", path, op_name(static_cast<OpCode>(op)));
    }
}

}  // namespace

void require_ok(int32_t status, const ErrorMessage& error) {
    if (status != 0) throw Error(static_cast<Status>(status), error.text);
}

Device device_at(int32_t device) {
    if (device == 0) return {&cpu_backend(), 0};
    if (device < 0 || device >= device_count())
        fail("there is no device %d; %d are there, 0 is the CPU", device, device_count());
    return {plugin().table.load(std::memory_order_acquire), device - 1};
}

std::string device_name(int32_t device) { return device == 0 ? "cpu" : "cuda:" + std::to_string(device - 1); }

std::string device_name(const Placement& placement) {
    return device_name(placement.backend == &cpu_backend() ? 0 : 1 + placement.where.ordinal);
}

int32_t device_count() { return 1 + plugin().devices.load(std::memory_order_acquire); }

void load_plugin(const char* path) {
    Plugin& p = plugin();
    const std::lock_guard<std::mutex> lock(p.loading);
    if (p.table.load() != nullptr) return;
    ErrorMessage error{};
    const BackendTable* table = entry_of(path)(backend_abi_hash(), &error);
    if (table == nullptr || table->abi_hash != backend_abi_hash())
        fail("[cuda] %s is of another version than the addon: %s", path,
             error.text[0] != '\0' ? error.text : "install the same version of both");
    require_complete(*table, path);
    int32_t devices = 0;
    require_ok(table->device_count(&devices, &error), error);
    p.table.store(table, std::memory_order_release);
    p.devices.store(devices, std::memory_order_release);
}

}  // namespace nativegrad
