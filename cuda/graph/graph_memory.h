// Memory that a graph holds as long as it lives.
#pragma once

#include <cstddef>

#include "backend/queue.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

// On the device, given back in the order of the queue.
class Block {
  public:
    Block(Queue& queue, size_t bytes) : queue_(queue), bytes_(bytes), data_(take_block(queue, bytes)) {}
    ~Block();
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    char* data() const { return static_cast<char*>(data_); }

  private:
    Queue& queue_;
    size_t bytes_;
    void* data_;
};

// Page-locked memory of the host that goes to the device while the host works on.
class Upload {
  public:
    Upload() = default;
    ~Upload();
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;

    // Room for so many bytes; waits where copies out of it are still under way.
    char* room(size_t bytes);
    // [offset, offset + bytes) of the room goes to `to`.
    void send(char* to, size_t offset, size_t bytes, Stream stream);

  private:
    void wait();

    char* data_ = nullptr;
    size_t bytes_ = 0;
    Event sent_;
    bool is_sent_ = false;
};

}  // namespace nativegrad::cuda
