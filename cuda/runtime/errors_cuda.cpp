#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>

#include "backend/error.h"
#include "device/launch.h"
#include "runtime/check_cuda.h"
#include "runtime/counts.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

// Never destroyed: threads may work on while the process ends.
struct StickyTexts {
    std::mutex mutex;
    std::string of[max_devices];
};
StickyTexts& sticky_texts() {
    static StickyTexts* const texts = new StickyTexts;
    return *texts;
}

// After these the context of the device is lost for the process.
bool is_sticky(cudaError_t status) {
    // Not named by every toolkit: NVLink, contained and tensor memory errors, an external device's.
    constexpr int newer[] = {220, 226, 721, 911};
    for (const int number : newer) {
        if (static_cast<int>(status) == number) return true;
    }
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
    if (is_sticky(status)) return Status::device_lost;
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
    StickyTexts& texts = sticky_texts();
    std::lock_guard lock(texts.mutex);
    std::string& kept = texts.of[device >= 0 && device < max_devices ? device : 0];
    if (kept.empty()) kept = text;
    return kept;
}

// While the process ends, the runtime may be gone before the threads that use it: nothing can be told to
// anyone then, and no destructor may run over what is gone.
void park_while_process_ends() {
    const bool is_main_thread = syscall(SYS_gettid) == getpid();
    while (!is_main_thread) pause();
}

}  // namespace

void check(cudaError_t status, const char* call) {
    if (status == cudaSuccess) return;
    if (status == cudaErrorCudartUnloading) park_while_process_ends();
    // The runtime keeps the last error; it must not turn up in a later call that went well.
    cudaGetLastError();
    std::string text = std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
    if (is_sticky(status)) {
        const std::string first = note_sticky(std::string(call) + ": " + text);
        text += "; the device cannot be used by this process any more, the first such error was at " + first +
                " (a later call tells it; with CUDA_LAUNCH_BLOCKING=1 it is told where the kernel starts)";
    }
    throw Error(status_of(status), std::string("[cuda] ") + call + ": " + text);
}

std::string sticky_error() {
    const int device = current_device();
    StickyTexts& texts = sticky_texts();
    std::lock_guard lock(texts.mutex);
    return texts.of[device >= 0 && device < max_devices ? device : 0];
}

namespace detail {

void check_launch(int status, const std::string& kernel) {
    if (status == cudaSuccess) return count(Work::launch);
    check(static_cast<cudaError_t>(status), ("launch of " + kernel).c_str());
}

void load_code(const void* kernel, const std::string& name) {
    cudaFuncAttributes ignored{};
    check_launch(cudaFuncGetAttributes(&ignored, kernel), name);
}

void allow_shared_bytes(const void* kernel, size_t bytes, std::atomic<size_t>* allowed_per_device,
                        const std::string& name) {
    const int device = current_device();
    std::atomic<size_t>& allowed = allowed_per_device[device];
    if (allowed.load(std::memory_order_relaxed) >= bytes) return;
    // All that a block can have: two threads that ask for different sizes must not take it from each other.
    int most = 0;
    cudaFuncAttributes kernel_needs{};
    check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "launch");
    check_launch(cudaFuncGetAttributes(&kernel_needs, kernel), name);
    const size_t room = static_cast<size_t>(most) - kernel_needs.sharedSizeBytes;
    if (bytes > room) {
        throw Error(Status::invalid_argument, "[" + name + "] " + std::to_string(bytes) +
                                                  " bytes of shared memory: a block of this GPU has " +
                                                  std::to_string(room));
    }
    check_launch(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(room)),
        name + " with " + std::to_string(room) + " bytes of shared memory");
    allowed.store(room, std::memory_order_relaxed);
}

}  // namespace detail

}  // namespace nativegrad::cuda
