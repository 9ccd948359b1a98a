// Reads for which the thread that asks does not wait. A small tensor goes to page-locked memory in the order
// of the queue. A large one is copied on the device, and taken from there by the thread that waits, on a
// stream of its own, while the queue works on.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "backend/staging.h"
#include "device/fault.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

class Queue;

class Reads {
  public:
    struct Read;

    explicit Reads(Queue& queue) : queue_(queue) {}
    Reads(const Reads&) = delete;
    Reads& operator=(const Reads&) = delete;

    // On the queue's thread. The memory may be written or released by work that is given afterwards.
    Read* begin(const void* from, size_t bytes);
    // On any thread, once: waits, writes the elements to `host` where that is not null, and throws what the
    // work before reported.
    void finish(Read* read, void* host);

  private:
    Read& idle();
    void put_back(Read& read);
    void take(Read& read, void* host);

    Queue& queue_;
    std::mutex mutex_;
    std::vector<Read*> idle_;  // for the next ones, up to 64

    // Of the large ones.
    std::mutex stream_mutex_;
    Stream stream_;
    Staging staging_;
};

// In the order of the stream: what kernels reported moves to `taken`.
void take_fault(Fault* fault, Fault* taken, Stream stream);

}  // namespace nativegrad::cuda
