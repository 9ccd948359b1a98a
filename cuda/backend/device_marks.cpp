// Moments as events that keep the time, on a stream that is held while it is given the work between them.
#include <memory>
#include <vector>

#include "backend/device_marks.h"
#include "backend/guarded.h"
#include "backend/queue.h"
#include "runtime/stream_hold.h"

namespace nativegrad::cuda {

namespace {

// Calls whose kernels and events a stream surely has room for.
constexpr size_t most_held = 64;

class Marks {
  public:
    Marks(Queue& queue, int32_t count) : queue_(queue) {
        const DeviceScope device(queue.ordinal());
        for (int32_t i = 0; i < count; ++i) moments_.push_back(create_event(true));
        for (size_t i = 0; i < moments_.size(); i += most_held) starts_.push_back(create_event(true));
    }
    ~Marks() {
        ErrorMessage ignored;
        guarded(&ignored, "profile", [&] {
            const DeviceScope device(queue_.ordinal());
            hold_.reset();
            for (const Event event : moments_) destroy(event);
            for (const Event event : starts_) destroy(event);
        });
    }
    Marks(const Marks&) = delete;
    Marks& operator=(const Marks&) = delete;

    void note(int32_t index) {
        const auto i = static_cast<size_t>(index);
        const DeviceScope device(queue_.ordinal());
        record(moments_[i], queue_.stream());
        if (i % most_held == 0 && i + 1 < moments_.size()) begin_hold(starts_[i / most_held]);
    }

    void read(int64_t* nanoseconds) {
        const DeviceScope device(queue_.ordinal());
        hold_.reset();
        synchronize(moments_.back());
        for (size_t i = 0; i + 1 < moments_.size(); ++i) {
            const Event from = i % most_held == 0 ? starts_[i / most_held] : moments_[i];
            nanoseconds[i] = static_cast<int64_t>(elapsed_ms(from, moments_[i + 1]) * 1e6f);
        }
    }

  private:
    // What the calls from here on take is counted from `start` on, when the stream goes on.
    void begin_hold(Event start) {
        hold_.reset();
        hold_ = std::make_unique<StreamHold>(queue_.stream());
        record(start, queue_.stream());
    }

    Queue& queue_;
    std::vector<Event> moments_, starts_;
    std::unique_ptr<StreamHold> hold_;
};

int32_t make(DeviceQueue where, int32_t count, void** marks, ErrorMessage* error) {
    return guarded(error, "profile", [&] { *marks = new Marks(*static_cast<Queue*>(where.queue), count); });
}

int32_t note(void* marks, int32_t i, ErrorMessage* error) {
    return guarded(error, "profile", [&] { static_cast<Marks*>(marks)->note(i); });
}

int32_t read(void* marks, int64_t* nanoseconds, ErrorMessage* error) {
    return guarded(error, "profile", [&] { static_cast<Marks*>(marks)->read(nanoseconds); });
}

void free_marks(void* marks) { delete static_cast<Marks*>(marks); }

}  // namespace

const MarkTable& mark_table() {
    static const MarkTable table = {&make, &note, &read, &free_marks};
    return table;
}

}  // namespace nativegrad::cuda
