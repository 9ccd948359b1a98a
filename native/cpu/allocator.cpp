#include "cpu/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace nativegrad::cpu {

namespace {

constexpr size_t alignment = 64;
constexpr int steps_per_doubling = 4;
constexpr int class_count = 40 * steps_per_doubling;

int64_t class_bytes(int index) {
    const size_t base = alignment << (index / steps_per_doubling);
    const size_t raw = base + base / steps_per_doubling * static_cast<size_t>(index % steps_per_doubling);
    return static_cast<int64_t>((raw + alignment - 1) / alignment * alignment);
}

struct SizeClass {
    int index;
    size_t bytes;
};

// Classes are 64 * 2^k * {1, 1.25, 1.5, 1.75}: at most a fifth of a block is waste.
SizeClass size_class(size_t bytes) {
    int doubling = 0;
    while ((bytes >> (doubling + 1)) >= alignment) ++doubling;
    for (int index = doubling * steps_per_doubling; index < class_count; ++index) {
        const size_t size = static_cast<size_t>(class_bytes(index));
        if (bytes <= size) return {index, size};
    }
    throw std::bad_alloc();
}

#if defined(__linux__)
constexpr size_t huge_page = size_t{2} << 20;

// Blocks of two huge pages and more are made of them where the system allows it: a sweep over one needs fewer
// address translations, and its first touch fewer page faults.
void* system_block(size_t bytes) {
    if (bytes < 2 * huge_page) return std::aligned_alloc(alignment, bytes);
    const size_t whole = (bytes + huge_page - 1) / huge_page * huge_page;
    void* block = std::aligned_alloc(huge_page, whole);
    // Only advice: without it the block is as good as any.
    if (block != nullptr) madvise(block, whole, MADV_HUGEPAGE);
    return block;
}
#else
void* system_block(size_t bytes) { return std::aligned_alloc(alignment, bytes); }
#endif

// So much may always be cached: small programs never wait for the system.
constexpr int64_t least_cache = int64_t{256} << 20;

struct Pool {
    std::mutex mutex;
    std::vector<void*> free_blocks[class_count];
    MemoryStats stats{};

    // Number of the last call that used a class.
    uint64_t last_use[class_count] = {};
    uint64_t calls = 0;

    // A loop that repeats needs no more than it had at its peak, so its cache is never cut; the quarter is
    // for shapes that vary.
    int64_t cache_bound() const {
        return std::max(least_cache, stats.peak_bytes + stats.peak_bytes / 4 - stats.live_bytes);
    }

    // Gives blocks back, those of the class that was not used for longest first.
    void trim_cache() {
        const int64_t bound = cache_bound();
        while (stats.cached_bytes > bound) {
            int oldest = -1;
            for (int index = 0; index < class_count; ++index) {
                if (free_blocks[index].empty()) continue;
                if (oldest < 0 || last_use[index] < last_use[oldest]) oldest = index;
            }
            if (oldest < 0) return;
            std::free(free_blocks[oldest].back());
            free_blocks[oldest].pop_back();
            stats.cached_bytes -= class_bytes(oldest);
        }
    }

    int64_t drop_cache() {
        const int64_t freed = stats.cached_bytes;
        for (auto& blocks : free_blocks) {
            for (void* block : blocks) std::free(block);
            blocks.clear();
        }
        stats.cached_bytes = 0;
        return freed;
    }
};

// Never destroyed: tensors of a worker may outlive static destruction at process exit.
Pool& pool() {
    static Pool* const instance = new Pool;
    return *instance;
}

}  // namespace

void* allocate(size_t bytes) {
    if (bytes > (size_t{1} << 45)) return nullptr;
    const SizeClass size = size_class(bytes == 0 ? 1 : bytes);
    const int64_t block_bytes = static_cast<int64_t>(size.bytes);
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    if (p.stats.limit_bytes > 0 && p.stats.live_bytes + block_bytes > p.stats.limit_bytes) return nullptr;
    p.last_use[size.index] = ++p.calls;
    void* block = nullptr;
    auto& blocks = p.free_blocks[size.index];
    if (!blocks.empty()) {
        block = blocks.back();
        blocks.pop_back();
        p.stats.cached_bytes -= block_bytes;
    } else {
        const bool over_limit = p.stats.limit_bytes > 0 &&
                                p.stats.live_bytes + p.stats.cached_bytes + block_bytes > p.stats.limit_bytes;
        if (over_limit) p.drop_cache();
        block = system_block(size.bytes);
        if (block == nullptr && p.drop_cache() > 0) block = system_block(size.bytes);
        if (block == nullptr) return nullptr;
    }
    p.stats.live_bytes += block_bytes;
    if (p.stats.live_bytes > p.stats.peak_bytes) p.stats.peak_bytes = p.stats.live_bytes;
    return block;
}

void release(void* data, size_t bytes) {
    if (data == nullptr) return;
    const SizeClass size = size_class(bytes == 0 ? 1 : bytes);
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    p.free_blocks[size.index].push_back(data);
    p.stats.live_bytes -= static_cast<int64_t>(size.bytes);
    p.stats.cached_bytes += static_cast<int64_t>(size.bytes);
    p.last_use[size.index] = ++p.calls;
    if (p.stats.cached_bytes > least_cache) p.trim_cache();
}

MemoryStats allocator_stats() {
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    return p.stats;
}

void set_allocator_limit(int64_t bytes) {
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    p.stats.limit_bytes = bytes;
    if (bytes > 0 && p.stats.live_bytes + p.stats.cached_bytes > bytes) p.drop_cache();
}

void reset_allocator_peak() {
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    p.stats.peak_bytes = p.stats.live_bytes;
}

int64_t empty_allocator_cache() {
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    const int64_t freed = p.drop_cache();
#if defined(__GLIBC__)
    // Blocks in the middle of the heap stay resident otherwise.
    if (freed > 0) malloc_trim(0);
#endif
    return freed;
}

}  // namespace nativegrad::cpu
