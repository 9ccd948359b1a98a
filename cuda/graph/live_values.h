// Which arguments of a program's kernels change from step to step, and how they follow from the slots. While
// calls are recorded, slots that change hold NaN for the ops: only recipes see them, and they are asked again
// for each step, by the same code as when calls run one by one.
#pragma once

#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "backend/graphs.h"
#include "device/live.h"
#include "ops/op_params.h"

namespace nativegrad::cuda {

class LiveValues {
  public:
    explicit LiveValues(const GraphPlan& plan);
    LiveValues(const LiveValues&) = delete;
    LiveValues& operator=(const LiveValues&) = delete;

    // Sums up what the arguments need; the kernels get them by value.
    void measure();
    // The kernels read them in `block`, of `bytes` in memory of the device.
    void record(char* block, size_t bytes);
    void end() { phase_ = Phase::off; }

    bool is_recording() const { return phase_ == Phase::record; }
    // Slots that change.
    size_t value_count() const { return changing_.size(); }
    // Bytes of one step's values.
    size_t row_bytes() const { return bytes_; }

    // What an op gets while it is recorded.
    template <class Params>
    Params hidden(const Params& params) {
        Params result = params;
        const auto hide = [this](const double* at) { return changes(at) ? hidden_of(at) : at; };
        each_slot(result, hide);
        return result;
    }

    template <class Params, class Recipe>
    auto argument(const Params& params, const Recipe& recipe) -> Live<decltype(recipe(params))> {
        using T = decltype(recipe(params));
        Params real = params;
        bool any_changes = false;
        each_slot(real, [&](const double* at) {
            const double* const slot = shown(at);
            any_changes = any_changes || changes(slot);
            return slot;
        });
        if (phase_ == Phase::off || !any_changes) return {recipe(real), nullptr};
        char* const place = add(sizeof(T), [real, recipe](char* to) {
            const T value = recipe(real);
            std::memcpy(to, &value, sizeof value);
        });
        return {recipe(real), reinterpret_cast<const T*>(place)};
    }

    // Puts `values` into the changing slots, and what follows from them into the row.
    void write_row(const double* values, char* row) const;

  private:
    enum class Phase { off, measure, record };

    template <class Visit>
    struct SlotVisitor {
        const Visit& visit;
        void operator()(const char*, ScalarSlot& slot) { slot.values = visit(slot.values); }
        template <class Field>
        void operator()(const char*, Field&) {}
    };
    template <class Params, class Visit>
    static void each_slot(Params& params, const Visit& visit) {
        SlotVisitor<Visit> visitor{visit};
        params.fields(visitor);
    }

    bool changes(const double* at) const;
    const double* hidden_of(const double* at) const { return hidden_.data() + (at - slots_); }
    // The slot itself, of one that may be hidden.
    const double* shown(const double* at) const;
    // Where the value lies in the block; null while only sizes are wanted.
    char* add(size_t bytes, std::function<void(char*)> write);

    double* const slots_;
    const std::vector<int32_t> changing_;
    std::vector<char> is_changing_;
    std::vector<double> hidden_;  // NaN for each slot

    Phase phase_ = Phase::off;
    char* block_ = nullptr;
    size_t bytes_ = 0, room_ = 0;
    struct Written {
        size_t offset;
        std::function<void(char*)> write;
    };
    std::vector<Written> written_;
};

}  // namespace nativegrad::cuda
