#include "runtime/check_cuda.h"
#include "runtime/counts.h"
#include "runtime/launch_notes.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

// Null where the memory is full: the caller frees some and tries again.
void* unless_full(cudaError_t status, void* data, const char* call) {
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return nullptr;
    }
    check(status, call);
    return data;
}

void copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, Stream stream, const char* call) {
    if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, kind, native(stream.handle)), call);
}

}  // namespace

void* allocate(size_t bytes) {
    if (bytes == 0) return nullptr;
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, bytes);
    return unless_full(status, data, "allocate");
}

void release(void* data) {
    if (data == nullptr) return;
    count(Work::host_wait);
    check(cudaFree(data), "release");
}

void* allocate_async(size_t bytes, Stream stream) {
    if (bytes == 0) return nullptr;
    void* data = nullptr;
    const cudaError_t status = cudaMallocAsync(&data, bytes, native(stream.handle));
    return unless_full(status, data, "allocate_async");
}

void release_async(void* data, Stream stream) {
    if (data != nullptr) check(cudaFreeAsync(data, native(stream.handle)), "release_async");
}

void* allocate_host(size_t bytes) {
    if (bytes == 0) return nullptr;
    void* data = nullptr;
    const cudaError_t status = cudaMallocHost(&data, bytes);
    return unless_full(status, data, "allocate_host");
}

void release_host(void* data) {
    if (data != nullptr) check(cudaFreeHost(data), "release_host");
}

void note_in_use(void*, size_t, size_t) {}

void copy_to_device(void* device, const void* host, size_t bytes, Stream stream) {
    count(Work::copy_to_device);
    copy(device, host, bytes, cudaMemcpyHostToDevice, stream, "copy_to_device");
}

void copy_to_host(void* host, const void* device, size_t bytes, Stream stream) {
    count(Work::copy_to_host);
    copy(host, device, bytes, cudaMemcpyDeviceToHost, stream, "copy_to_host");
}

void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
    if (note_alone("copy_on_device", stream, [=](Stream on) { copy_on_device(to, from, bytes, on); })) return;
    copy(to, from, bytes, cudaMemcpyDeviceToDevice, stream, "copy_on_device");
}

void copy_between_devices(void* to, int to_device, const void* from, int from_device, size_t bytes,
                          Stream stream) {
    if (bytes == 0) return;
    check(cudaMemcpyPeerAsync(to, to_device, from, from_device, bytes, native(stream.handle)),
          "copy_between_devices");
}

void fill_bytes(void* data, int value, size_t bytes, Stream stream) {
    if (note_alone("fill_bytes", stream, [=](Stream on) { fill_bytes(data, value, bytes, on); })) return;
    if (bytes > 0) check(cudaMemsetAsync(data, value, bytes, native(stream.handle)), "fill_bytes");
}

}  // namespace nativegrad::cuda
