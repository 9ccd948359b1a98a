#include "backend/staging.h"

#include <algorithm>
#include <cstring>

#include "backend/error.h"

namespace nativegrad::cuda {

Staging::Chunk& Staging::next() {
    Chunk& chunk = chunks_[turn_];
    turn_ = (turn_ + 1) % chunk_count;
    if (chunk.memory == nullptr) {
        chunk.memory = static_cast<char*>(allocate_host(chunk_bytes));
        if (chunk.memory == nullptr)
            throw Error(Status::out_of_memory, "[cuda] no page-locked memory left for copies");
        chunk.done = create_event();
    }
    if (chunk.in_flight) synchronize(chunk.done);
    chunk.in_flight = false;
    return chunk;
}

void Staging::to_device(void* device, const void* host, size_t bytes, Stream stream) {
    for (size_t offset = 0; offset < bytes; offset += chunk_bytes) {
        const size_t part = std::min(chunk_bytes, bytes - offset);
        Chunk& chunk = next();
        std::memcpy(chunk.memory, static_cast<const char*>(host) + offset, part);
        copy_to_device(static_cast<char*>(device) + offset, chunk.memory, part, stream);
        record(chunk.done, stream);
        chunk.in_flight = true;
    }
}

void Staging::to_host(void* host, const void* device, size_t bytes, Stream stream) {
    // One part is copied out while the next one comes in.
    Chunk* former = nullptr;
    size_t former_offset = 0, former_part = 0;
    const auto finish = [&] {
        if (former == nullptr) return;
        synchronize(former->done);
        former->in_flight = false;
        std::memcpy(static_cast<char*>(host) + former_offset, former->memory, former_part);
    };
    for (size_t offset = 0; offset < bytes; offset += chunk_bytes) {
        const size_t part = std::min(chunk_bytes, bytes - offset);
        Chunk& chunk = next();
        copy_to_host(chunk.memory, static_cast<const char*>(device) + offset, part, stream);
        record(chunk.done, stream);
        chunk.in_flight = true;
        finish();
        former = &chunk;
        former_offset = offset;
        former_part = part;
    }
    finish();
}

}  // namespace nativegrad::cuda
