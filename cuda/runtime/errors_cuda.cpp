#include <atomic>
#include <mutex>
#include <string>

#include "backend/error.h"
#include "device/launch.h"
#include "runtime/check_cuda.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

std::mutex sticky_mutex;
std::string sticky_texts[max_devices];

// After these the context of the device is lost for the process.
bool is_sticky(cudaError_t status) {
    switch (status) {
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchTimeout:
        case cudaErrorAssert:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorInvalidPc:
        case cudaErrorLaunchFailure:
        case cudaErrorECCUncorrectable:
        case cudaErrorContextIsDestroyed:
            return true;
        default:
            return false;
    }
}

Status status_of(cudaError_t status) {
    switch (status) {
        case cudaErrorMemoryAllocation:
            return Status::out_of_memory;
        case cudaErrorInvalidValue:
        case cudaErrorInvalidDevice:
        case cudaErrorInvalidResourceHandle:
        case cudaErrorInvalidConfiguration:
            return Status::invalid_argument;
        default:
            return Status::internal;
    }
}

std::string note_sticky(const std::string& text) {
    int device = 0;
    cudaGetDevice(&device);
    std::lock_guard lock(sticky_mutex);
    std::string& kept = sticky_texts[device >= 0 && device < max_devices ? device : 0];
    if (kept.empty()) kept = text;
    return kept;
}

}  // namespace

void check(cudaError_t status, const char* call) {
    if (status == cudaSuccess) return;
    // The runtime keeps the last error; it must not turn up in a later call that went well.
    cudaGetLastError();
    std::string text = std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
    if (is_sticky(status)) {
        const std::string first = note_sticky(std::string(call) + ": " + text);
        text += "; the device cannot be used by this process any more, the first such error was at " + first;
    }
    throw Error(status_of(status), std::string("[cuda] ") + call + ": " + text);
}

std::string sticky_error() {
    const int device = current_device();
    std::lock_guard lock(sticky_mutex);
    return sticky_texts[device >= 0 && device < max_devices ? device : 0];
}

namespace detail {

void check_launch(int status, const std::string& kernel) {
    if (status == cudaSuccess) return;
    check(static_cast<cudaError_t>(status), ("launch of " + kernel).c_str());
}

void allow_shared_bytes(const void* kernel, size_t bytes, std::atomic<size_t>* allowed_per_device,
                        const std::string& name) {
    std::atomic<size_t>& allowed = allowed_per_device[current_device()];
    if (allowed.load(std::memory_order_relaxed) >= bytes) return;
    check_launch(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        name + " with " + std::to_string(bytes) + " bytes of shared memory");
    allowed.store(bytes, std::memory_order_relaxed);
}

}  // namespace detail

}  // namespace nativegrad::cuda
