// The memory of the simulated devices: one reserved range of addresses, a part per device, with a shadow byte
// for every 8 bytes that says how many of them may be touched (0: none).
#pragma once

#include <cstddef>
#include <cstdint>

namespace nativegrad::cuda::sim {

constexpr size_t heap_bytes_per_device = size_t{32} << 30;
constexpr int heap_devices = 4;
constexpr size_t heap_bytes = heap_bytes_per_device * heap_devices;

struct Heap {
    uintptr_t begin = 0;
    uint8_t* shadow = nullptr;
};
extern Heap heap;

inline bool in_heap(const void* address) {
    return reinterpret_cast<uintptr_t>(address) - heap.begin < heap_bytes;
}
inline int heap_device(const void* address) {
    return static_cast<int>((reinterpret_cast<uintptr_t>(address) - heap.begin) / heap_bytes_per_device);
}
// For an address in the heap and a size of at most 16.
inline bool may_touch(uintptr_t address, size_t bytes) {
    const size_t offset = address - heap.begin;
    if (bytes > 8) {
        return (offset & 7) == 0 && heap.shadow[offset >> 3] == 8 &&
               (offset & 7) + bytes - 8 <= heap.shadow[(offset >> 3) + 1];
    }
    const size_t last = (offset & 7) + bytes;
    if (last <= 8) return last <= heap.shadow[offset >> 3];
    return heap.shadow[offset >> 3] == 8 && last - 8 <= heap.shadow[(offset >> 3) + 1];
}
bool may_touch_range(const void* address, size_t bytes);

void* heap_allocate(int device, size_t bytes);  // null when the device is full
// False when `data` is no allocation.
bool heap_release(void* data);
bool heap_note_in_use(void* data, size_t bytes, size_t capacity);
size_t heap_live_bytes(int device);
// "12 bytes past the end of the allocation of 400 bytes at 0x..." for an address that may not be touched.
void describe_address(const void* address, char* text, size_t capacity);

}  // namespace nativegrad::cuda::sim
