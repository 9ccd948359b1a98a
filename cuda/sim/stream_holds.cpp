// Streams that are held, in the simulated runtime: their work runs at once, as all work does, but its time is
// added up, and moments are told by that. Whoever waits for such a stream ends the hold, as its limit does on
// a GPU.
#include "runtime/stream_hold.h"
#include "sim/delays.h"
#include "sim/stream_state.h"

namespace nativegrad::cuda {

namespace sim {

void free_stream(StreamState& stream) {
    if (stream.hold == nullptr) return;
    stream.hold = nullptr;
    const double now = now_ms();
    for (EventState* event : live<EventState>()) {
        if (!event->held || event->stream != &stream) continue;
        event->held = false;
        event->milliseconds += now;
    }
}

}  // namespace sim

using namespace sim;

Hold hold(Stream stream) {
    std::lock_guard lock(runtime_mutex());
    enter("hold");
    refuse_in_capture("hold");
    StreamState* state = stream_state("hold", stream);
    free_stream(*state);
    state->hold = new HoldState{state};
    live<HoldState>().insert(state->hold);
    return {state->hold};
}

bool end_hold(Hold hold) {
    std::lock_guard lock(runtime_mutex());
    HoldState* state = checked<HoldState>("end_hold", hold.handle, "the hold");
    // Of a stream that was destroyed, nothing is left.
    const bool held = live<StreamState>().count(state->stream) != 0 && state->stream->hold == state;
    if (held) free_stream(*state->stream);
    forget<HoldState>("end_hold", hold.handle, "the hold");
    return held;
}

}  // namespace nativegrad::cuda
