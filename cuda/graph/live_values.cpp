#include "graph/live_values.h"

#include <functional>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

// Of each value, and so of a row.
constexpr size_t value_alignment = 16;

}  // namespace

LiveValues::LiveValues(const GraphPlan& plan)
    : slots_(plan.slots),
      changing_(plan.changing, plan.changing + plan.changing_count),
      is_changing_(static_cast<size_t>(plan.slot_count), 0),
      hidden_(static_cast<size_t>(plan.slot_count), std::numeric_limits<double>::quiet_NaN()) {
    for (const int32_t slot : changing_) is_changing_[static_cast<size_t>(slot)] = 1;
}

void LiveValues::measure() {
    phase_ = Phase::measure;
    bytes_ = 0;
}

void LiveValues::record(char* block, size_t bytes) {
    phase_ = Phase::record;
    block_ = block;
    room_ = bytes;
    bytes_ = 0;
    written_.clear();
}

bool LiveValues::changes(const double* at) const {
    const std::less<const double*> before;
    if (before(at, slots_) || !before(at, slots_ + is_changing_.size())) return false;
    return is_changing_[static_cast<size_t>(at - slots_)] != 0;
}

const double* LiveValues::shown(const double* at) const {
    const std::less<const double*> before;
    const double* const first = hidden_.data();
    if (before(at, first) || !before(at, first + hidden_.size())) return at;
    return slots_ + (at - first);
}

char* LiveValues::add(size_t bytes, std::function<void(char*)> write) {
    const size_t offset = bytes_;
    bytes_ += (bytes + value_alignment - 1) / value_alignment * value_alignment;
    if (phase_ == Phase::measure) return nullptr;
    if (bytes_ > room_)
        throw Error(Status::internal, "the calls ask for more numbers than in the step before");
    written_.push_back({offset, std::move(write)});
    return block_ + offset;
}

void LiveValues::write_row(const double* values, char* row) const {
    for (size_t i = 0; i < changing_.size(); ++i) slots_[changing_[i]] = values[i];
    for (const Written& each : written_) each.write(row + each.offset);
}

}  // namespace nativegrad::cuda
