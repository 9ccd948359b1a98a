// How large a launch is.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nativegrad::cuda {

struct Blocks {
    int64_t x, y, z;
    Blocks(int64_t x, int64_t y = 1, int64_t z = 1) : x(x), y(y), z(z) {}
    bool operator==(const Blocks& other) const { return x == other.x && y == other.y && z == other.z; }
};

// blocks x threads; shared_bytes for the block's SharedArena.
struct Grid {
    Blocks blocks;
    int threads;
    size_t shared_bytes = 0;
    bool operator==(const Grid& other) const {
        return blocks == other.blocks && threads == other.threads && shared_bytes == other.shared_bytes;
    }
};

// Blocks of `threads` that cover `count` elements, `each` per thread; at least one.
inline int64_t blocks_for(int64_t count, int64_t threads, int64_t each = 1) {
    const int64_t blocks = (count + threads * each - 1) / (threads * each);
    return blocks > 0 ? blocks : 1;
}

}  // namespace nativegrad::cuda
