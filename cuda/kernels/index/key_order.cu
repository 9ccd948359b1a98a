#include "kernels/index/key_order.h"

#include "backend/error.h"
#include "device/device.h"
#include "device/launch.h"

namespace nativegrad::cuda {

namespace {

// Digits of 8 bits, the lowest first. A block sorts a tile, each of its warps a stretch of it in steps of 32;
// thread d looks after digit d.
constexpr int digits = 256, warps = 8, steps = 8;
constexpr int stretch = steps * warp_size, tile = warps * stretch;

__device__ __forceinline__ int digit_of(uint32_t key, int shift) {
    return static_cast<int>(key >> shift) & (digits - 1);
}

// keys [n] -> counts [tiles, digits]
__device__ __forceinline__ void count_digits(const uint32_t* keys, int64_t n, int shift, uint32_t* counts) {
    SharedArena arena;
    uint32_t* found = arena.take<uint32_t>(digits);
    found[thread_index()] = 0;
    block_barrier();
    const int64_t first = int64_t{block_index()} * tile;
    for (int i = thread_index(); i < tile && first + i < n; i += thread_count())
        atomic_add(&found[digit_of(keys[first + i], shift)], uint32_t{1});
    block_barrier();
    counts[int64_t{block_index()} * digits + thread_index()] = found[thread_index()];
}

// counts [tiles, digits] -> where the first of each tile's digits goes; one block
__device__ __forceinline__ void place_digits(uint32_t* counts, int64_t tiles) {
    SharedArena arena;
    uint32_t* totals = arena.take<uint32_t>(digits);
    const int digit = thread_index();
    uint32_t total = 0;
    for (int64_t i = 0; i < tiles; ++i) total += counts[i * digits + digit];
    totals[digit] = total;
    block_barrier();
    uint32_t running = 0;
    for (int i = 0; i < digit; ++i) running += totals[i];
    for (int64_t i = 0; i < tiles; ++i) {
        const uint32_t count = counts[i * digits + digit];
        counts[i * digits + digit] = running;
        running += count;
    }
}

// Lanes whose digit is the same as this lane's, among those that have one.
__device__ __forceinline__ uint32_t lanes_alike(int digit, bool valid) {
    uint32_t alike = ballot(valid);
    for (int bit = 1; bit < digits; bit *= 2) {
        const uint32_t set = ballot((digit & bit) != 0);
        alike &= (digit & bit) != 0 ? set : ~set;
    }
    return alike;
}

// keys [n], order [n] (null: 0, 1, ...) -> both sorted by the digit; places is what place_digits wrote
__device__ __forceinline__ void move_digits(const uint32_t* keys, const int32_t* order, int64_t n, int shift,
                                            const uint32_t* places, uint32_t* keys_out, int32_t* order_out) {
    SharedArena arena;
    uint32_t* next = arena.take<uint32_t>(warps * digits);
    uint32_t* own = next + warp_index() * digits;
    for (int i = lane_index(); i < digits; i += warp_size) own[i] = 0;
    warp_barrier();
    const int64_t first = int64_t{block_index()} * tile + warp_index() * stretch + lane_index();
    for (int step = 0; step < steps; ++step) {
        const int64_t i = first + step * warp_size;
        if (i < n) atomic_add(&own[digit_of(keys[i], shift)], uint32_t{1});
    }
    block_barrier();
    uint32_t running = places[int64_t{block_index()} * digits + thread_index()];
    for (int warp = 0; warp < warps; ++warp) {
        const uint32_t count = next[warp * digits + thread_index()];
        next[warp * digits + thread_index()] = running;
        running += count;
    }
    block_barrier();
    const uint32_t below = (uint32_t{1} << lane_index()) - 1;
    for (int step = 0; step < steps; ++step) {
        const int64_t i = first + step * warp_size;
        const bool valid = i < n;
        const uint32_t key = valid ? keys[i] : 0;
        const int digit = digit_of(key, shift);
        const uint32_t alike = lanes_alike(digit, valid);
        const uint32_t rank = static_cast<uint32_t>(count_bits(alike & below));
        const uint32_t base = own[digit], place = base + rank;
        warp_barrier();
        if (valid && rank == 0) own[digit] = base + static_cast<uint32_t>(count_bits(alike));
        warp_barrier();
        if (!valid) continue;
        keys_out[place] = key;
        order_out[place] = order == nullptr ? static_cast<int32_t>(i) : order[i];
    }
}

size_t pair_bytes(int64_t count) { return static_cast<size_t>(count) * 2 * sizeof(uint32_t); }

}  // namespace

KeyOrder::KeyOrder(Queue& queue, int64_t count, int64_t limit)
    : queue_(queue),
      count_(count),
      limit_(limit),
      tiles_((count + tile - 1) / tile),
      keys_(queue, pair_bytes(count)),
      order_(queue, pair_bytes(count)),
      counts_(queue, static_cast<size_t>(tiles_) * digits * sizeof(uint32_t)) {
    if (count > INT32_MAX || limit > largest_limit)
        fail("adds up at most 2^31 elements at 2^32 places at once");
}

void KeyOrder::sort() {
    int shift = 0;
    do {
        sort_digit(shift);
        shift += 8;
    } while (shift < 32 && limit_ >> shift != 0);
}

void KeyOrder::sort_digit(int shift) {
    const bool first = shift == 0;
    uint32_t* const keys = keys_.as<uint32_t>();
    int32_t* const order = order_.as<int32_t>();
    uint32_t* const counts = counts_.as<uint32_t>();
    const int64_t from = swapped_ ? count_ : 0, to = swapped_ ? 0 : count_;
    const Stream stream = queue_.stream();
    launch_batched<count_digits, unbounded>(Grid{tiles_, digits, shared_bytes<uint32_t>(digits)}, stream,
                                            keys + from, count_, shift, counts);
    launch_batched<place_digits, unbounded>(Grid{1, digits, shared_bytes<uint32_t>(digits)}, stream, counts,
                                            tiles_);
    launch_batched<move_digits, unbounded>(Grid{tiles_, digits, shared_bytes<uint32_t>(warps * digits)},
                                           stream, keys + from, first ? nullptr : order + from, count_, shift,
                                           counts, keys + to, order + to);
    swapped_ = !swapped_;
}

}  // namespace nativegrad::cuda
