// Streams, events and captures of the simulated runtime, shared by the files that enqueue on them. Everything
// here is called while runtime_mutex() is held.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "sim/device_state.h"

namespace nativegrad::cuda::sim {

// Nodes of a graph, by their numbers.
using Numbers = std::set<size_t>;

// Work that a graph runs again, after the nodes that it must wait for.
struct Node {
    std::string name;
    std::function<void()> run;
    Numbers after;
};

struct StreamState;

struct HoldState {
    StreamState* stream;
    double worked = 0;  // milliseconds of the work that waits
};

struct Capture {
    StreamState* origin;
    std::vector<Node> nodes;
    std::set<StreamState*> joined;
    std::string invalid;  // why it cannot be ended well
};

struct StreamState {
    int device;
    Capture* capture = nullptr;
    // Of a stream that joined a capture by an event: its work, and how much of it others waited for.
    uint64_t work = 0, waited = 0;
    Numbers last;     // of the capture: what its next node must wait for
    double done = 0;  // when its work is done (sim/delays.h)
    HoldState* hold = nullptr;
};

struct EventState {
    int device;
    bool timing, recorded = false;
    // By the clock; of one whose stream is held, after the hold's end.
    double milliseconds = 0;
    bool held = false;
    Capture* capture = nullptr;
    StreamState* stream = nullptr;
    uint64_t work = 0;
    Numbers last;
    double done = 0;
};

// Handles that were made and not destroyed.
template <class T>
std::set<T*>& live() {
    static std::set<T*>* const handles = new std::set<T*>;
    return *handles;
}

template <class T>
T* checked(const char* call, void* handle, const char* what) {
    T* state = static_cast<T*>(handle);
    if (live<T>().count(state) == 0) {
        refuse(call, std::string(what) + " is no live one: it was destroyed, or never made",
               Status::invalid_argument);
    }
    return state;
}

template <class T>
void forget(const char* call, void* handle, const char* what) {
    T* state = checked<T>(call, handle, what);
    live<T>().erase(state);
    delete state;
}

// The capture that this thread began, or null.
extern thread_local Capture* thread_capture;

StreamState& default_stream(int device);
// Refuses the default stream while this thread captures another.
StreamState* stream_state(const char* call, Stream stream);
// Runs the work, or records it where the stream is captured.
void submit(const char* call, Stream stream, std::string name, std::function<void()> work);

// The stream goes on, if it is held.
void free_stream(StreamState& stream);

}  // namespace nativegrad::cuda::sim
