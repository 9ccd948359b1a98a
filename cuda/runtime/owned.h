// A stream, event or graph that is destroyed with its owner, also where the owner's constructor throws.
#pragma once

#include <utility>

#include "backend/error.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

template <class Handle>
class Owned {
  public:
    Owned() = default;
    explicit Owned(Handle handle) : handle_(handle) {}
    ~Owned() { end(); }
    Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Owned& operator=(Owned&& other) noexcept {
        if (this != &other) {
            end();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }

    Handle get() const { return handle_; }

  private:
    void end() noexcept {
        try {
            destroy(handle_);
        } catch (const Error&) {
            // The device is lost, and the handle with it.
        }
    }

    Handle handle_;
};

}  // namespace nativegrad::cuda
