// Decodes the argument block: one Float64Array per environment, written by lib/native, read here without any
// further crossing into JavaScript. Nothing in it is trusted: counts, ranks and handles are checked.
#pragma once

#include <cmath>
#include <cstdint>

#include "backend/error.h"
#include "ops/op_params.h"

namespace nativegrad {

class ArgumentReader {
  public:
    ArgumentReader(const double* block, size_t length) : position_(block), end_(block + length) {}

    double number() {
        if (position_ == end_) fail("the argument block is too short");
        return *position_++;
    }

    int64_t integer() {
        const double value = number();
        if (!(std::fabs(value) <= 9007199254740992.0) || value != std::floor(value))
            fail("expected an integer, got %g", value);
        return static_cast<int64_t>(value);
    }

    int64_t integer(int64_t low, int64_t high, const char* what) {
        const int64_t value = integer();
        if (value < low || value > high) {
            fail("%s is %lld, outside [%lld, %lld]", what, static_cast<long long>(value),
                 static_cast<long long>(low), static_cast<long long>(high));
        }
        return value;
    }

    // The next value to be read.
    const double* position() const { return position_; }

    const double* slot() {
        if (position_ == end_) fail("the argument block is too short");
        return position_++;
    }

    // Visitor of the parameter structs.
    void operator()(const char*, double& field) { field = number(); }
    void operator()(const char*, int64_t& field) { field = integer(); }
    void operator()(const char* name, int32_t& field) {
        field = static_cast<int32_t>(integer(INT32_MIN, INT32_MAX, name));
    }
    void operator()(const char*, ScalarSlot& field) { field.values = slot(); }
    void operator()(const char* name, IntList& field) {
        field.count = static_cast<int32_t>(integer(0, 2 * max_rank, name));
        for (int32_t i = 0; i < field.count; ++i) field.values[i] = integer();
    }

  private:
    const double* position_;
    const double* end_;
};

}  // namespace nativegrad
