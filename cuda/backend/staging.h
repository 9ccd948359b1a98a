// Copies between pageable host memory and a device, by way of page-locked chunks: the copy to the device
// returns as soon as the host memory has been read, and the device works on meanwhile.
#pragma once

#include "runtime/runtime.h"

namespace nativegrad::cuda {

class Staging {
  public:
    Staging() = default;
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    // The host memory may be used again on return.
    void to_device(void* device, const void* host, size_t bytes, Stream stream);
    // Returns when the elements are there.
    void to_host(void* host, const void* device, size_t bytes, Stream stream);

  private:
    struct Chunk {
        char* memory = nullptr;
        Event done;  // the last copy through it
        bool in_flight = false;
    };

    static constexpr int chunk_count = 2;
    static constexpr size_t chunk_bytes = size_t{4} << 20;

    // A chunk that no copy uses any more; the two take turns.
    Chunk& next();

    Chunk chunks_[chunk_count];
    int turn_ = 0;
};

}  // namespace nativegrad::cuda
