#include "sim/pinned.h"

#include <cstdint>
#include <cstdlib>
#include <map>

namespace nativegrad::cuda::sim {

namespace {
std::map<uintptr_t, size_t> blocks;
}

void* pinned_allocate(size_t bytes) {
    void* data = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (data != nullptr) blocks[reinterpret_cast<uintptr_t>(data)] = bytes;
    return data;
}

bool pinned_release(void* data) {
    if (blocks.erase(reinterpret_cast<uintptr_t>(data)) == 0) return false;
    std::free(data);
    return true;
}

bool is_pinned(const void* data, size_t bytes) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(data);
    auto found = blocks.upper_bound(address);
    if (found == blocks.begin()) return false;
    --found;
    return address + bytes <= found->first + found->second;
}

}  // namespace nativegrad::cuda::sim
