// Moments in the order of a queue, on the device's own clock: what calls take there, without a wait between.
#pragma once

#include "backend/backend.h"

namespace nativegrad {

struct MarkTable {
    // Room for `count` moments of the queue.
    int32_t (*make)(DeviceQueue where, int32_t count, void** marks, ErrorMessage* error);
    // Moment i is when the work given so far is done.
    int32_t (*note)(void* marks, int32_t i, ErrorMessage* error);
    // Waits for the last one. nanoseconds [count - 1]: from each moment to the next.
    int32_t (*read)(void* marks, int64_t* nanoseconds, ErrorMessage* error);
    void (*free)(void* marks);
};

}  // namespace nativegrad
