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
    explicit WorkBuffer(int64_t count) : bytes_(byte_count(count)), data_(static_cast<T*>(allocate(bytes_))) {
        if (data_ == nullptr) throw Error(Status::out_of_memory, "no memory left for a work buffer");
    }
    ~WorkBuffer() { release(data_, bytes_); }
    WorkBuffer(WorkBuffer&& other) noexcept
        : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
    WorkBuffer(const WorkBuffer&) = delete;
    WorkBuffer& operator=(const WorkBuffer&) = delete;

    T* data() const { return data_; }

  private:
    static size_t byte_count(int64_t count) {
        size_t bytes;
        if (count < 0 || __builtin_mul_overflow(static_cast<size_t>(count), sizeof(T), &bytes)) {
            throw Error(Status::out_of_memory, "a work buffer would be larger than memory can be");
        }
        return bytes;
    }

    size_t bytes_;
    T* data_;
};

}  // namespace nativegrad::cpu
