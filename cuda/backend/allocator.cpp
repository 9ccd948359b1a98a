#include "backend/allocator.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "backend/error.h"
#include "runtime/room.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t alignment = 512;  // of every block: enough for any vector access and tensor core tile

// Sizes 512 * 2^k * {1, 1.25, 1.5, 1.75}: at most a fifth of a block is waste.
size_t block_bytes(size_t bytes) {
    size_t base = alignment;
    while (base * 2 <= bytes) base *= 2;
    const size_t quarter = base < 4 * alignment ? alignment : base / 4;
    return (std::max<size_t>(bytes, 1) + quarter - 1) / quarter * quarter;
}

struct DevicePool {
    std::mutex mutex;
    MemoryStats stats{};
    // Free blocks of a queue, by size.
    std::unordered_map<const Queue*, std::map<size_t, std::vector<void*>>> free_blocks;

    void* take_cached(const Queue& queue, size_t bytes) {
        const auto own = free_blocks.find(&queue);
        if (own == free_blocks.end()) return nullptr;
        const auto blocks = own->second.find(bytes);
        if (blocks == own->second.end() || blocks->second.empty()) return nullptr;
        void* data = blocks->second.back();
        blocks->second.pop_back();
        stats.cached_bytes -= static_cast<int64_t>(bytes);
        return data;
    }

    bool is_over_limit(size_t bytes) const {
        return stats.limit_bytes > 0 &&
               stats.live_bytes + stats.cached_bytes + static_cast<int64_t>(bytes) > stats.limit_bytes;
    }

    // cudaFree waits for the device, so no block is given back while a kernel uses it. A block that the
    // device refuses is not kept: it cannot be used again.
    int64_t drop_cache() {
        int64_t freed = 0;
        for (auto& [queue, sizes] : free_blocks) {
            for (auto& [bytes, blocks] : sizes) {
                while (!blocks.empty()) {
                    void* const data = blocks.back();
                    blocks.pop_back();
                    stats.cached_bytes -= static_cast<int64_t>(bytes);
                    release(data);
                    freed += static_cast<int64_t>(bytes);
                }
            }
        }
        free_blocks.clear();
        return freed;
    }
};

// Never destroyed: blocks are released until the process ends.
DevicePool& pool_of(int ordinal) {
    static DevicePool* const pools = [] {
        on_full_memory([](int device) { return empty_cache(device) > 0; });
        return new DevicePool[max_devices];
    }();
    return pools[ordinal];
}

}  // namespace

void* allocate_block(Queue& queue, size_t bytes) {
    if (bytes > (size_t{1} << 45)) return nullptr;
    const size_t size = block_bytes(bytes);
    DevicePool& pool = pool_of(queue.ordinal());
    const std::lock_guard<std::mutex> lock(pool.mutex);
    MemoryStats& stats = pool.stats;
    if (stats.limit_bytes > 0 && stats.live_bytes + static_cast<int64_t>(size) > stats.limit_bytes)
        return nullptr;
    void* data = pool.take_cached(queue, size);
    if (data == nullptr) {
        const DeviceScope device(queue.ordinal());
        if (pool.is_over_limit(size)) pool.drop_cache();
        data = allocate(size);
        if (data == nullptr && pool.drop_cache() > 0) data = allocate(size);
        if (data == nullptr) return nullptr;
    }
    note_in_use(data, bytes, size);
    stats.live_bytes += static_cast<int64_t>(size);
    stats.peak_bytes = std::max(stats.peak_bytes, stats.live_bytes);
    return data;
}

void release_block(Queue& queue, void* data, size_t bytes) {
    if (data == nullptr) return;
    const size_t size = block_bytes(bytes);
    DevicePool& pool = pool_of(queue.ordinal());
    const std::lock_guard<std::mutex> lock(pool.mutex);
    note_in_use(data, 0, size);
    pool.free_blocks[&queue][size].push_back(data);
    pool.stats.live_bytes -= static_cast<int64_t>(size);
    pool.stats.cached_bytes += static_cast<int64_t>(size);
}

MemoryStats memory_stats(int ordinal) {
    DevicePool& pool = pool_of(ordinal);
    const std::lock_guard<std::mutex> lock(pool.mutex);
    return pool.stats;
}

std::string memory_text(int ordinal) {
    const MemoryStats stats = memory_stats(ordinal);
    std::string text;
    try {
        const DeviceScope device(ordinal);
        const MemoryInfo info = memory_info();
        text = "of " + std::to_string(info.total_bytes) + " bytes the device has " +
               std::to_string(info.free_bytes) + " free, ";
    } catch (const Error&) {
        // Then what this process holds is told alone.
    }
    text += "this process holds " + std::to_string(stats.live_bytes) + " and keeps " +
            std::to_string(stats.cached_bytes) + " for reuse";
    if (stats.limit_bytes > 0) text += ", its limit is " + std::to_string(stats.limit_bytes);
    return text;
}

void set_memory_limit(int ordinal, int64_t bytes) {
    DevicePool& pool = pool_of(ordinal);
    const std::lock_guard<std::mutex> lock(pool.mutex);
    pool.stats.limit_bytes = bytes;
    if (pool.is_over_limit(0)) {
        const DeviceScope device(ordinal);
        pool.drop_cache();
    }
}

void reset_peak(int ordinal) {
    DevicePool& pool = pool_of(ordinal);
    const std::lock_guard<std::mutex> lock(pool.mutex);
    pool.stats.peak_bytes = pool.stats.live_bytes;
}

int64_t empty_cache(int ordinal) {
    DevicePool& pool = pool_of(ordinal);
    const std::lock_guard<std::mutex> lock(pool.mutex);
    const DeviceScope device(ordinal);
    return pool.drop_cache();
}

}  // namespace nativegrad::cuda
