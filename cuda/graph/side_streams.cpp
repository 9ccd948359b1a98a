#include "graph/side_streams.h"

#include <algorithm>

namespace nativegrad::cuda {

namespace {

constexpr size_t most_streams = 16;

}  // namespace

SideStreams::SideStreams(size_t width) {
    if (width > 1) forked_ = Owned(create_event());
    for (size_t i = 1; i < std::min(width, most_streams); ++i) {
        streams_.emplace_back(create_stream());
        done_.emplace_back(create_event());
    }
}

void SideStreams::fork(Stream main, size_t count) {
    if (used(count) == 0) return;
    record(forked_.get(), main);
    for (size_t i = 0; i < used(count); ++i) wait_event(streams_[i].get(), forked_.get());
}

Stream SideStreams::stream(Stream main, size_t i) const {
    const size_t at = i % (streams_.size() + 1);
    return at == 0 ? main : streams_[at - 1].get();
}

void SideStreams::join(Stream main, size_t count) {
    for (size_t i = 0; i < used(count); ++i) {
        record(done_[i].get(), streams_[i].get());
        wait_event(main, done_[i].get());
    }
}

}  // namespace nativegrad::cuda
