// Keeps a stream from going on while work is given to it, so that the work runs without gaps afterwards.
// Events between short kernels then tell the kernels' time; without it they tell how long the host takes to
// launch them.
#pragma once

#include "runtime/runtime.h"

namespace nativegrad::cuda {

// A stream that waits; what the class calls. On CUDA and in the simulator.
struct Hold {
    void* handle = nullptr;
};
constexpr double longest_hold_ms = 200;
Hold hold(Stream stream);
bool end_hold(Hold hold);

class StreamHold {
  public:
    // From here on the stream's work waits, at most about `longest_hold_ms`: whoever waits for the stream
    // meanwhile waits that long, and does not hang. Not more work than a stream has room for (1024 launches).
    explicit StreamHold(Stream stream) : hold_(hold(stream)) {}
    ~StreamHold() {
        try {
            let_go();
        } catch (...) {  // the device is lost: the next call says so
        }
    }
    StreamHold(const StreamHold&) = delete;
    StreamHold& operator=(const StreamHold&) = delete;

    // Waits until the stream goes on. Whether it had waited until now.
    bool let_go() {
        if (hold_.handle == nullptr) return false;
        const Hold former = hold_;
        hold_ = {};
        return end_hold(former);
    }

  private:
    Hold hold_;
};

}  // namespace nativegrad::cuda
