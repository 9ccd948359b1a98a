#include <dlfcn.h>

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "backend/error.h"
#include "runtime/check_cuda.h"
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
bool hidden_by_environment() {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return visible != nullptr && (visible[0] == 0 || std::strcmp(visible, "-1") == 0);
}

// cuInit and cuDriverGetVersion by hand: the runtime gives one error for no driver and for an old one.
Availability start_driver(Probe& found, std::string& load_error) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (driver == nullptr) {
        load_error = dlerror();
        return Availability::no_driver;
    }
    found.driver_release = driver_release();
    const auto get_version = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDriverGetVersion"));
    const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    if (get_version == nullptr || init == nullptr || get_version(&found.driver_version) != 0) {
        load_error = "libcuda.so.1 has no cuDriverGetVersion or cuInit that works";
        return Availability::broken;
    }
    // Within a major version every driver serves every runtime.
    if (found.driver_version / 1000 < found.runtime_version / 1000) return Availability::driver_too_old;
    constexpr int no_device = 100;
    const int status = init(0);
    if (status == no_device) {
        return hidden_by_environment() ? Availability::hidden_by_environment : Availability::no_device;
    }
    if (status == 0) return Availability::ready;
    load_error = "cuInit gives error " + std::to_string(status);
    return Availability::broken;
}

Probe make_probe() {
    Probe found{Availability::ready, 0, 0, CUDART_VERSION, "", ""};
    std::string load_error;
    found.state = start_driver(found, load_error);
    if (found.state == Availability::ready) {
        const cudaError_t status = cudaGetDeviceCount(&found.device_count);
        if (status != cudaSuccess || found.device_count == 0) {
            found.device_count = 0;
            cudaGetLastError();
            load_error = cudaGetErrorString(status);
            const bool none = status == cudaSuccess || status == cudaErrorNoDevice;
            found.state = !none                     ? Availability::broken
                          : hidden_by_environment() ? Availability::hidden_by_environment
                                                    : Availability::no_device;
        }
    }
    found.message = fault_text(found, load_error);
    return found;
}

int attribute(cudaDeviceAttr name, int device) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, name, device), "device_properties");
    return value;
}

}  // namespace

Probe probe() {
    static const Probe found = make_probe();
    return found;
}

void require_device(int device) {
    const Probe found = probe();
    if (found.state != Availability::ready) throw Error(Status::invalid_argument, found.message);
    check_device_index(device, found.device_count);
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

void synchronize_device() { check(cudaDeviceSynchronize(), "synchronize_device"); }

}  // namespace nativegrad::cuda
