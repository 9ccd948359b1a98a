#include "graph/side_streams.h"

#include <algorithm>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t most_streams = 16;

}  // namespace

SideStreams::SideStreams(size_t width) {
    if (width > 1) forked_ = create_event();
    for (size_t i = 1; i < std::min(width, most_streams); ++i) {
        streams_.push_back(create_stream());
        done_.push_back(create_event());
    }
}

SideStreams::~SideStreams() {
    try {
        for (const Stream stream : streams_) destroy(stream);
        for (const Event event : done_) destroy(event);
        destroy(forked_);
    } catch (const Error&) {
        // The device is lost, and they with it.
    }
}

void SideStreams::fork(Stream main, size_t count) {
    if (used(count) == 0) return;
    record(forked_, main);
    for (size_t i = 0; i < used(count); ++i) wait_event(streams_[i], forked_);
}

Stream SideStreams::stream(Stream main, size_t i) const {
    const size_t at = i % (streams_.size() + 1);
    return at == 0 ? main : streams_[at - 1];
}

void SideStreams::join(Stream main, size_t count) {
    for (size_t i = 0; i < used(count); ++i) {
        record(done_[i], streams_[i]);
        wait_event(main, done_[i]);
    }
}

}  // namespace nativegrad::cuda
