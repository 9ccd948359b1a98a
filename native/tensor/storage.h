// A counted block of device memory, shared by a tensor and its views, in one environment or several.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "backend/registry.h"

namespace nativegrad {

class Storage {
  public:
    Storage(const Placement& placement, void* data, int64_t bytes)
        : placement_(placement), data_(data), bytes_(bytes) {}

    void* data() const { return data_; }
    int64_t bytes() const { return bytes_; }
    const BackendTable& backend() const { return *placement_.backend; }
    const Placement& placement() const { return placement_; }

    // A captured program that runs on its own thread owns what it touches; kept by the environment's thread.
    void begin_use(bool writes) { ++(writes ? writers_ : readers_); }
    void end_use(bool writes) { --(writes ? writers_ : readers_); }
    bool is_being_written() const { return writers_ > 0; }
    bool is_in_use() const { return writers_ > 0 || readers_ > 0; }

    // Counts the calls and runs that wrote to it, or may have: who keeps what was computed from it sees
    // whether that still holds.
    void note_write() { writes_.fetch_add(1, std::memory_order_relaxed); }
    uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }

    void retain() { references_.fetch_add(1, std::memory_order_relaxed); }

    // True when this was the last reference: the memory is back in the allocator and the object is gone.
    bool release() {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
        backend().release(placement_.where, data_, static_cast<size_t>(bytes_));
        delete this;
        return true;
    }

  private:
    ~Storage() = default;

    Placement placement_;
    void* data_;
    int64_t bytes_;
    std::atomic<int64_t> references_{1};
    std::atomic<uint64_t> writes_{0};
    int32_t writers_ = 0, readers_ = 0;
};

// Owns one reference.
class StorageRef {
  public:
    StorageRef() = default;
    explicit StorageRef(Storage* adopted) : storage_(adopted) {}
    StorageRef(const StorageRef& other) : storage_(other.storage_) {
        if (storage_ != nullptr) storage_->retain();
    }
    StorageRef(StorageRef&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
    StorageRef& operator=(StorageRef other) noexcept {
        std::swap(storage_, other.storage_);
        return *this;
    }
    ~StorageRef() { reset(); }

    Storage* get() const { return storage_; }
    Storage* operator->() const { return storage_; }
    explicit operator bool() const { return storage_ != nullptr; }

    void reset() {
        if (storage_ != nullptr) std::exchange(storage_, nullptr)->release();
    }

  private:
    Storage* storage_ = nullptr;
};

}  // namespace nativegrad
