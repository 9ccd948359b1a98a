#include <dlfcn.h>

#include <cctype>
#include <cstdlib>
#include <fstream>

#include "backend/error.h"
#include "runtime/check_cuda.h"
#include "runtime/counts.h"
#include "runtime/fault_text.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

// "580.65.06" out of "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  ...".
std::string driver_release() {
    std::ifstream file("/proc/driver/nvidia/version");
    for (std::string word; file >> word;) {
        const bool number = std::isdigit(static_cast<unsigned char>(word[0])) != 0;
        if (number && word.find('.') != std::string::npos) return word;
    }
    return {};
}

// The variable is looked at for the message only; the driver acts on it.
Availability none_found(std::string& detail) {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    if (visible == nullptr) return Availability::no_device;
    detail = visible;
    return none_seen(detail);
}

// "CUDA_ERROR_SYSTEM_NOT_READY (802)"
std::string driver_error(void* driver, int status) {
    using Name = int (*)(int, const char**);
    const auto name_of = reinterpret_cast<Name>(dlsym(driver, "cuGetErrorName"));
    const auto text_of = reinterpret_cast<Name>(dlsym(driver, "cuGetErrorString"));
    const char *name = nullptr, *text = nullptr;
    if (name_of == nullptr || name_of(status, &name) != 0 || name == nullptr) name = "error";
    if (text_of == nullptr || text_of(status, &text) != 0 || text == nullptr) text = "";
    const std::string told = std::string(name) + " (" + std::to_string(status) + ")";
    return *text == '\0' ? told : told + ", " + text;
}

// cuInit and cuDriverGetVersion by hand: the runtime gives one error for no driver and for an old one.
Availability start_driver(Probe& found, std::string& detail) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (driver == nullptr) {
        detail = dlerror();
        return Availability::no_driver;
    }
    found.driver_release = driver_release();
    const auto get_version = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDriverGetVersion"));
    const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    if (get_version == nullptr || init == nullptr || get_version(&found.driver_version) != 0) {
        detail = "libcuda.so.1 has no cuDriverGetVersion or cuInit that works";
        return Availability::broken;
    }
    // Within a major version every driver serves every runtime.
    if (found.driver_version / 1000 < found.runtime_version / 1000) return Availability::driver_too_old;
    constexpr int no_device = 100;
    const int status = init(0);
    if (status == no_device) return none_found(detail);
    if (status == 0) return Availability::ready;
    detail = "cuInit gives " + driver_error(driver, status);
    return Availability::broken;
}

int attribute(cudaDeviceAttr name, int device) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, name, device), "device_properties");
    return value;
}

int capability_of(int device) {
    return attribute(cudaDevAttrComputeCapabilityMajor, device) * 10 +
           attribute(cudaDevAttrComputeCapabilityMinor, device);
}

std::string missing_code(int device) {
    cudaDeviceProp all;
    check(cudaGetDeviceProperties(&all, device), "device_properties");
    return architecture_text(NATIVEGRAD_CUDA_ARCHITECTURES, device, all.name, all.major * 10 + all.minor);
}

Availability count_devices(Probe& found, std::string& detail) {
    const cudaError_t status = cudaGetDeviceCount(&found.device_count);
    if (status != cudaSuccess || found.device_count == 0) {
        found.device_count = 0;
        cudaGetLastError();
        if (status == cudaSuccess || status == cudaErrorNoDevice) return none_found(detail);
        detail = std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
        return Availability::broken;
    }
    for (int device = 0; device < found.device_count; ++device) {
        if (runs_on(NATIVEGRAD_CUDA_ARCHITECTURES, capability_of(device))) return Availability::ready;
    }
    detail = missing_code(0);
    return Availability::other_architecture;
}

Probe make_probe() {
    Probe found{Availability::ready, 0, 0, CUDART_VERSION, "", ""};
    std::string detail;
    found.state = start_driver(found, detail);
    if (found.state == Availability::ready) {
        try {
            found.state = count_devices(found, detail);
        } catch (const Error& error) {
            found.state = Availability::broken;
            detail = error.what();
        }
    }
    if (found.state != Availability::ready) found.device_count = 0;
    found.message = fault_text(found, detail);
    return found;
}

}  // namespace

Probe probe() {
    // Never destroyed: threads may ask while the process ends.
    static const Probe& found = *new Probe(make_probe());
    return found;
}

void require_device(int device) {
    const Probe found = probe();
    if (found.state != Availability::ready) throw Error(Status::invalid_argument, found.message);
    check_device_index(device, found.device_count);
}

void require_code(int device) {
    require_device(device);
    const int capability = capability_of(device);
    if (!runs_on(NATIVEGRAD_CUDA_ARCHITECTURES, capability))
        throw Error(Status::invalid_argument, "[cuda] " + missing_code(device));
}

int device_count() { return probe().device_count; }

DeviceProperties device_properties(int device) {
    require_device(device);
    cudaDeviceProp all;
    check(cudaGetDeviceProperties(&all, device), "device_properties");
    return {all.name,
            all.major * 10 + all.minor,
            all.multiProcessorCount,
            attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
            all.l2CacheSize,
            all.totalGlobalMem,
            attribute(cudaDevAttrMemoryPoolsSupported, device)};
}

int current_device() {
    int device = 0;
    check(cudaGetDevice(&device), "current_device");
    return device;
}

void set_device(int device) {
    require_device(device);
    check(cudaSetDevice(device), "set_device");
}

void DeviceScope::restore(int device) noexcept {
    int now = device;
    if (cudaGetDevice(&now) == cudaSuccess && now != device) cudaSetDevice(device);
}

MemoryInfo memory_info() {
    MemoryInfo info{};
    check(cudaMemGetInfo(&info.free_bytes, &info.total_bytes), "memory_info");
    return info;
}

void synchronize_device() {
    count(Work::host_wait);
    check(cudaDeviceSynchronize(), "synchronize_device");
}

}  // namespace nativegrad::cuda
