// Uninitialised scratch memory from the caching allocator; throws Error out_of_memory.
#pragma once

#include <cstdint>
#include <utility>

#include "backend/error.h"
#include "cpu/allocator.h"

namespace nativegrad::cpu {

template <class T>
class WorkBuffer {
  public:
    explicit WorkBuffer(int64_t count)
        : bytes_(static_cast<size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate(bytes_))) {
        if (data_ == nullptr) throw Error(Status::out_of_memory, "no memory left for a work buffer");
    }
    ~WorkBuffer() { release(data_, bytes_); }
    WorkBuffer(WorkBuffer&& other) noexcept
        : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
    WorkBuffer(const WorkBuffer&) = delete;
    WorkBuffer& operator=(const WorkBuffer&) = delete;

    T* data() const { return data_; }

  private:
    size_t bytes_;
    T* data_;
};

}  // namespace nativegrad::cpu
