#include "sim/heap.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "backend/error.h"
#include "sim/asan.h"

namespace nativegrad::cuda::sim {

namespace {

constexpr size_t alignment = 256;
// Between two allocations, so that an index past the end meets nobody's memory.
constexpr size_t guard_bytes = 1024;
constexpr size_t commit_step = size_t{16} << 20;

struct Allocation {
    int device;
    size_t bytes;     // as asked for
    size_t capacity;  // taken, guard included
};

struct DeviceHeap {
    size_t top = guard_bytes, committed = 0, live = 0;
    std::multimap<size_t, uintptr_t> free;  // capacity -> address
};

DeviceHeap device_heaps[heap_devices];
std::map<uintptr_t, Allocation> allocations;

void* reserve(size_t bytes) {
    void* data = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) throw Error(Status::out_of_memory, "[cuda_sim] cannot reserve address space");
    return data;
}

void commit(uintptr_t begin, size_t bytes) {
    if (mprotect(reinterpret_cast<void*>(begin), bytes, PROT_READ | PROT_WRITE) != 0) {
        throw Error(Status::out_of_memory, "[cuda_sim] the host has no memory left");
    }
}

void set_shadow(uintptr_t address, size_t bytes, size_t capacity) {
    uint8_t* shadow = heap.shadow + ((address - heap.begin) >> 3);
    std::memset(shadow, 8, bytes / 8);
    std::memset(shadow + bytes / 8, 0, capacity / 8 - bytes / 8);
    if (bytes % 8 != 0) shadow[bytes / 8] = static_cast<uint8_t>(bytes % 8);
    poison_for_asan(reinterpret_cast<void*>(address), capacity);
    unpoison_for_asan(reinterpret_cast<void*>(address), bytes);
}

void start() {
    if (heap.shadow != nullptr) return;
    heap.begin = reinterpret_cast<uintptr_t>(reserve(heap_bytes));
    heap.shadow = static_cast<uint8_t*>(reserve(heap_bytes / 8 + 4096));
    commit(reinterpret_cast<uintptr_t>(heap.shadow), heap_bytes / 8 + 4096);
}

uintptr_t take_new(int device, size_t capacity) {
    DeviceHeap& part = device_heaps[device];
    if (part.top + capacity > heap_bytes_per_device) return 0;
    const uintptr_t begin = heap.begin + static_cast<size_t>(device) * heap_bytes_per_device;
    while (part.top + capacity > part.committed) {
        commit(begin + part.committed, commit_step);
        poison_for_asan(reinterpret_cast<void*>(begin + part.committed), commit_step);
        part.committed += commit_step;
    }
    const uintptr_t address = begin + part.top;
    part.top += capacity;
    return address;
}

}  // namespace

Heap heap;

void* heap_allocate(int device, size_t bytes) {
    start();
    DeviceHeap& part = device_heaps[device];
    const size_t capacity = (bytes + alignment - 1) / alignment * alignment + guard_bytes;
    uintptr_t address = 0;
    const auto found = part.free.lower_bound(capacity);
    size_t taken = capacity;
    if (found != part.free.end() && found->first < capacity + capacity / 4) {
        taken = found->first;
        address = found->second;
        part.free.erase(found);
    } else {
        address = take_new(device, capacity);
    }
    if (address == 0) return nullptr;
    set_shadow(address, bytes, taken);
    // What cudaMalloc gives holds anything: here it begins with NaN.
    void* data = reinterpret_cast<void*>(address);
    std::memset(data, 0xff, bytes < 65536 ? bytes : 65536);
    allocations[address] = {device, bytes, taken};
    part.live += bytes;
    return data;
}

bool heap_release(void* data) {
    const auto found = allocations.find(reinterpret_cast<uintptr_t>(data));
    if (found == allocations.end()) return false;
    const Allocation allocation = found->second;
    allocations.erase(found);
    set_shadow(reinterpret_cast<uintptr_t>(data), 0, allocation.capacity);
    DeviceHeap& part = device_heaps[allocation.device];
    part.live -= allocation.bytes;
    part.free.emplace(allocation.capacity, reinterpret_cast<uintptr_t>(data));
    if (allocation.capacity >= (size_t{1} << 20)) {
        const uintptr_t page = (reinterpret_cast<uintptr_t>(data) + 4095) / 4096 * 4096;
        const size_t skipped = page - reinterpret_cast<uintptr_t>(data);
        madvise(reinterpret_cast<void*>(page), (allocation.capacity - skipped) / 4096 * 4096, MADV_DONTNEED);
    }
    return true;
}

bool heap_note_in_use(void* data, size_t bytes, size_t capacity) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(data);
    auto found = allocations.upper_bound(address);
    if (found == allocations.begin()) return false;
    --found;
    if (address % 8 != 0 || bytes > capacity || address + capacity > found->first + found->second.bytes)
        return false;
    set_shadow(address, bytes, capacity / 8 * 8);
    if (bytes == capacity) set_shadow(address, bytes, (capacity + 7) / 8 * 8);
    return true;
}

size_t heap_live_bytes(int device) { return device_heaps[device].live; }

bool may_touch_range(const void* address, size_t bytes) {
    if (bytes == 0) return true;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
    if (!in_heap(address) || begin + bytes > heap.begin + heap_bytes) return false;
    for (uintptr_t at = begin; at < begin + bytes;) {
        const size_t step = 8 - (at & 7), left = begin + bytes - at, size = step < left ? step : left;
        if (!may_touch(at, size)) return false;
        at += size;
    }
    return true;
}

void describe_address(const void* address, char* text, size_t capacity) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(address);
    auto next = allocations.upper_bound(at);
    if (next != allocations.begin()) {
        const auto before = std::prev(next);
        const size_t distance = at - before->first;
        if (distance < before->second.bytes) {
            std::snprintf(text, capacity, "in a part of the block of %zu bytes at %p that is not in use",
                          before->second.bytes, reinterpret_cast<void*>(before->first));
            return;
        }
        const bool next_is_nearer =
            next != allocations.end() && next->first - at < distance - before->second.bytes;
        if (!next_is_nearer && distance < before->second.capacity + (size_t{1} << 20)) {
            std::snprintf(text, capacity, "%zu bytes past the end of the allocation of %zu bytes at %p",
                          distance - before->second.bytes, before->second.bytes,
                          reinterpret_cast<void*>(before->first));
            return;
        }
    }
    if (next != allocations.end() && next->first - at < (size_t{1} << 20)) {
        std::snprintf(text, capacity, "%zu bytes before the allocation of %zu bytes at %p", next->first - at,
                      next->second.bytes, reinterpret_cast<void*>(next->first));
        return;
    }
    std::snprintf(text, capacity, "in no allocation");
}

}  // namespace nativegrad::cuda::sim
