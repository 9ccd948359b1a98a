#include "graph/work_memory.h"

#include <algorithm>

#include "backend/allocator.h"
#include "backend/error.h"
#include "backend/queue.h"

namespace nativegrad::cuda {

namespace {

// As that of the allocator's blocks: kernels choose by it.
constexpr size_t alignment = 512;

size_t rounded(size_t bytes) { return (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment; }

}  // namespace

size_t Places::take(size_t bytes) {
    const size_t size = rounded(bytes);
    size_t offset = 0;
    for (const auto& [start, length] : taken_) {
        if (start - offset >= size) break;
        offset = start + length;
    }
    taken_.emplace(offset, size);
    most_ = std::max(most_, offset + size);
    return offset;
}

void WorkMemory::measure() {
    places_ = Places();
    offsets_.clear();
    block_ = nullptr;
}

void WorkMemory::record(char* block, size_t bytes) {
    places_ = Places();
    block_ = block;
    room_ = bytes;
}

void* WorkMemory::take(size_t bytes) {
    if (block_ == nullptr) {
        void* const data = take_block(root_, bytes);
        offsets_[data] = places_.take(bytes);
        return data;
    }
    const size_t offset = places_.take(bytes);
    if (places_.most_bytes() <= room_) return block_ + offset;
    places_.give_back(offset);
    throw Error(Status::internal, "the calls ask for more work memory than in the step before");
}

void WorkMemory::give_back(void* data, size_t bytes) {
    if (block_ != nullptr) return places_.give_back(static_cast<size_t>(static_cast<char*>(data) - block_));
    const auto found = offsets_.find(data);
    if (found != offsets_.end()) {
        places_.give_back(found->second);
        offsets_.erase(found);
    }
    release_block(root_, data, bytes);
}

}  // namespace nativegrad::cuda
