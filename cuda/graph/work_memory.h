// Work buffers of a graph's calls: places in one block that the graph holds, used again in the order of the
// calls. How large the block must be comes from a step before, whose buffers are those of any op.
#pragma once

#include <cstddef>
#include <map>

namespace nativegrad::cuda {

class Queue;

// Places in a block of memory, each at the lowest offset that is free.
class Places {
  public:
    size_t take(size_t bytes);
    void give_back(size_t offset) { taken_.erase(offset); }
    // The end of the furthest place so far.
    size_t most_bytes() const { return most_; }

  private:
    std::map<size_t, size_t> taken_;  // bytes by offset
    size_t most_ = 0;
};

class WorkMemory {
  public:
    explicit WorkMemory(Queue& root) : root_(root) {}
    WorkMemory(const WorkMemory&) = delete;
    WorkMemory& operator=(const WorkMemory&) = delete;

    // Buffers come from the queue; what they need is noted.
    void measure();
    size_t measured_bytes() const { return places_.most_bytes(); }
    // Buffers lie in `block`.
    void record(char* block, size_t bytes);

    void* take(size_t bytes);
    void give_back(void* data, size_t bytes);

  private:
    Queue& root_;
    Places places_;
    char* block_ = nullptr;  // null while it measures
    size_t room_ = 0;
    std::map<void*, size_t> offsets_;  // of buffers from the queue
};

}  // namespace nativegrad::cuda
