#include "graph/step_copies.h"

#include "device/device.h"

namespace nativegrad::cuda {

namespace {

constexpr int copy_threads = 256;
constexpr int64_t bytes_per_block = copy_threads * 64;

// Packs first, first + lanes, ... of the bytes; loads do not wait for the stores before them.
template <class T, int width>
__device__ __forceinline__ void copy_packs(const char* from, char* to, int64_t bytes, int64_t first,
                                           int64_t lanes) {
    constexpr int together = 4;
    const T* source = reinterpret_cast<const T*>(from);
    T* target = reinterpret_cast<T*>(to);
    const int64_t count = bytes / static_cast<int64_t>(sizeof(T) * width);
    for (int64_t i = first; i < count; i += lanes * together) {
        Pack<T, width> packs[together];
#pragma unroll
        for (int k = 0; k < together; ++k)
            if (i + k * lanes < count) packs[k] = load_pack<width>(source + (i + k * lanes) * width);
#pragma unroll
        for (int k = 0; k < together; ++k)
            if (i + k * lanes < count) store_pack(target + (i + k * lanes) * width, packs[k]);
    }
}

// Bytes of one copy, by lanes first, first + lanes, ...; as wide as places and size allow.
__device__ __forceinline__ void copy_lanes(const StepCopy& copy, int64_t step, int64_t first, int64_t lanes) {
    const char* from = copy.from + step * copy.from_step;
    char* to = copy.to + step * copy.to_step;
    const uint64_t together =
        reinterpret_cast<uint64_t>(from) | reinterpret_cast<uint64_t>(to) | static_cast<uint64_t>(copy.bytes);
    if (together % 16 == 0) {
        copy_packs<uint32_t, 4>(from, to, copy.bytes, first, lanes);
    } else if (together % 4 == 0) {
        copy_packs<uint32_t, 1>(from, to, copy.bytes, first, lanes);
    } else {
        copy_packs<uint8_t, 1>(from, to, copy.bytes, first, lanes);
    }
}

// Copy number i of the range for the step that `next` names: in, unless the steps are over, or out of the one
// before.
__device__ __forceinline__ void copy_one(const CopyRange& range, int32_t i, int64_t next, bool is_over,
                                         int64_t first, int64_t lanes) {
    const bool goes_in = i < range.in_count;
    if (goes_in ? is_over : next == 0) return;
    copy_lanes(range.first[i], goes_in ? next : next - 1, first, lanes);
}

// list [in_count + out_count]: one block, a warp per copy; counts the step
__device__ __forceinline__ void copy_small(StepCounter* counter, const CopyRange& range, bool is_over) {
    const int64_t next = counter->next;
    // All have read it before it is raised.
    block_barrier();
    if (thread_index() == 0 && !is_over) {
        counter->running = next;
        counter->next = next + 1;
    }
    for (int32_t i = warp_index(); i < range.in_count + range.out_count; i += warp_count())
        copy_one(range, i, next, is_over, lane_index(), warp_size);
}

// list [in_count + out_count]: a row of blocks per copy
__device__ __forceinline__ void copy_large(const StepCounter* counter, const CopyRange& range, bool is_over) {
    const int64_t next = is_over ? counter->next : counter->running;
    copy_one(range, static_cast<int32_t>(block_index_y()), next, is_over, grid_thread_index(),
             grid_thread_count());
}

void copy_all(const StepCopyList& list, bool is_over, Stream stream) {
    const CopyRange &small = list.small, &large = list.large;
    if (!is_over || small.out_count > 0)
        launch_batched<copy_small>(Grid{1, copy_threads}, stream, list.counter, small, is_over);
    if (is_over ? large.out_count == 0 : large.in_count + large.out_count == 0) return;
    const int64_t blocks = (large.most_bytes + bytes_per_block - 1) / bytes_per_block;
    launch_batched<copy_large>(Grid{{blocks, large.in_count + large.out_count}, copy_threads}, stream,
                               list.counter, large, is_over);
}

}  // namespace

void begin_step(const StepCopyList& list, Stream stream) { copy_all(list, false, stream); }

void end_steps(const StepCopyList& list, Stream stream) { copy_all(list, true, stream); }

}  // namespace nativegrad::cuda
