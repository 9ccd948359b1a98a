// Moments as events that keep the time.
#include <vector>

#include "backend/device_marks.h"
#include "backend/guarded.h"
#include "backend/queue.h"

namespace nativegrad::cuda {

namespace {

class Marks {
  public:
    Marks(Queue& queue, int32_t count) : queue_(queue) {
        const DeviceScope device(queue.ordinal());
        for (int32_t i = 0; i < count; ++i) events_.push_back(create_event(true));
    }
    ~Marks() {
        ErrorMessage ignored;
        guarded(&ignored, "profile", [&] {
            const DeviceScope device(queue_.ordinal());
            for (const Event event : events_) destroy(event);
        });
    }
    Marks(const Marks&) = delete;
    Marks& operator=(const Marks&) = delete;

    void note(int32_t i) {
        const DeviceScope device(queue_.ordinal());
        record(events_[static_cast<size_t>(i)], queue_.stream());
    }

    void read(int64_t* nanoseconds) {
        const DeviceScope device(queue_.ordinal());
        synchronize(events_.back());
        for (size_t i = 0; i + 1 < events_.size(); ++i)
            nanoseconds[i] = static_cast<int64_t>(elapsed_ms(events_[i], events_[i + 1]) * 1e6f);
    }

  private:
    Queue& queue_;
    std::vector<Event> events_;
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
