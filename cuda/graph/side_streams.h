// Streams on which launches that need not follow one another leave a stream, and come back to it.
#pragma once

#include <vector>

#include "runtime/owned.h"

namespace nativegrad::cuda {

class SideStreams {
  public:
    // For up to `width` launches side by side, as far as that is worth it; made before a capture begins.
    explicit SideStreams(size_t width);

    // What `count` launches go to from here on: the i-th to stream(main, i).
    void fork(Stream main, size_t count);
    Stream stream(Stream main, size_t i) const;
    // The stream goes on when all of them are done.
    void join(Stream main, size_t count);

  private:
    // Streams beside the main one for `count` launches.
    size_t used(size_t count) const { return count <= streams_.size() ? count - 1 : streams_.size(); }

    std::vector<Owned<Stream>> streams_;
    std::vector<Owned<Event>> done_;
    Owned<Event> forked_;
};

}  // namespace nativegrad::cuda
