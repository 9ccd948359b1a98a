// What each of some calls takes: on the device's clock where it has one, else on the host's.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "backend/marks.h"
#include "backend/registry.h"

namespace nativegrad {

class CallTimes {
  public:
    CallTimes(const BackendTable& backend, DeviceQueue where, size_t calls)
        : marks_table_(backend.marks), moments_(calls + 1) {
        if (marks_table_ == nullptr) return;
        ErrorMessage error{};
        require_ok(marks_table_->make(where, static_cast<int32_t>(calls + 1), &marks_, &error), error);
    }
    ~CallTimes() {
        if (marks_ != nullptr) marks_table_->free(marks_);
    }
    CallTimes(const CallTimes&) = delete;
    CallTimes& operator=(const CallTimes&) = delete;

    // Moment 0 is before the first call, i after call i - 1.
    void note(size_t i) {
        if (marks_ == nullptr) {
            moments_[i] = std::chrono::steady_clock::now();
            return;
        }
        ErrorMessage error{};
        require_ok(marks_table_->note(marks_, static_cast<int32_t>(i), &error), error);
    }

    // Adds what each call took, from entry `first` on; waits for the last one.
    void add_to(std::vector<int64_t>& nanoseconds, size_t first) {
        std::vector<int64_t> taken(moments_.size() - 1);
        if (marks_ != nullptr) {
            ErrorMessage error{};
            require_ok(marks_table_->read(marks_, taken.data(), &error), error);
        }
        for (size_t i = 0; i < taken.size(); ++i) {
            nanoseconds[first + i] += marks_ != nullptr ? taken[i] : between(moments_[i], moments_[i + 1]);
        }
    }

  private:
    using Moment = std::chrono::steady_clock::time_point;
    static int64_t between(Moment from, Moment to) {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
    }

    const MarkTable* marks_table_;
    void* marks_ = nullptr;
    std::vector<Moment> moments_;
};

}  // namespace nativegrad
