// Bitonic sort of keys that all differ (the index is part of them), so it is a stable one: rows of up to
// sort_tile elements in shared memory, longer ones by steps through global memory.
#include "backend/ops.h"
#include "device/device.h"
#include "kernels/axis_walk.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

constexpr int64_t sort_tile = 2048;
constexpr int sort_threads = 256;

struct alignas(16) SortItem {
    uint64_t key;
    int64_t index;

    __device__ __forceinline__ bool is_before(const SortItem& other) const {
        return key != other.key ? key < other.key : index < other.index;
    }
};

// Unsigned keys in the order of the values: -0 and 0 are equal, NaN is the largest.
__device__ __forceinline__ uint64_t sort_key(double value) {
    if (value != value) return UINT64_MAX;
    if (value == 0) value = 0;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t{1} << 63);
}
__device__ __forceinline__ uint64_t sort_key(int64_t value) {
    return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
}

// Rows of n elements, padded to a power of two; the first k of each are wanted.
struct SortRows {
    Source x;
    void *values, *indices;
    DType values_dtype, indices_dtype;
    AxisWalk walk;  // values, x, indices; its length is k
    int64_t n, padded;
    bool descending;

    // Padding comes last: its index is behind all others.
    template <class T>
    __device__ __forceinline__ SortItem item(int64_t base, int64_t i) const {
        if (i >= n) return {UINT64_MAX, i};
        const uint64_t key = sort_key(load_as<T>(x, base + i * walk.steps[1]));
        return {descending ? ~key : key, i};
    }
    template <class T>
    __device__ __forceinline__ void write(const Offsets<3>& at, int64_t i, int64_t from) const {
        const T value = load_as<T>(x, at.of[1] + from * walk.steps[1]);
        store_as(values, values_dtype, at.of[0] + i * walk.steps[0], value);
        store_as(indices, indices_dtype, at.of[2] + i * walk.steps[2], from);
    }
};

__device__ __forceinline__ void order_pair(SortItem& low, SortItem& high, bool ascending) {
    if (high.is_before(low) != ascending) return;
    const SortItem item = low;
    low = high;
    high = item;
}

// Steps of `stride` and less inside of the tile, as part of runs of `size`; `first` is the tile's place.
__device__ __forceinline__ void merge_tile(SortItem* items, int64_t first, int count, int64_t size,
                                           int stride) {
    for (; stride > 0; stride /= 2) {
        for (int pair = thread_index(); pair < count / 2; pair += thread_count()) {
            const int low = pair / stride * 2 * stride + pair % stride;
            order_pair(items[low], items[low + stride], ((first + low) & size) == 0);
        }
        block_barrier();
    }
}

// x [rows, n] -> values, indices [rows, k]; a block per row of up to sort_tile elements
template <class T>
__global__ void sort_short_rows(SortRows rows) {
    SharedArena arena;
    const int count = static_cast<int>(rows.padded);
    SortItem* items = arena.take<SortItem>(static_cast<size_t>(count));
    const Offsets<3> at = locate(rows.walk.rows, block_index());
    for (int i = thread_index(); i < count; i += thread_count()) items[i] = rows.item<T>(at.of[1], i);
    block_barrier();
    for (int size = 2; size <= count; size *= 2) merge_tile(items, 0, count, size, size / 2);
    for (int64_t i = thread_index(); i < rows.walk.length; i += thread_count())
        rows.write<T>(at, i, items[i].index);
}

// x [rows, n] -> items [rows, padded], sorted tile by tile, up and down in turn
template <class T>
__global__ void sort_tiles(SortRows rows, SortItem* to) {
    SharedArena arena;
    SortItem* items = arena.take<SortItem>(sort_tile);
    const int64_t first = int64_t{block_index()} * sort_tile, row = first / rows.padded;
    const int64_t base = locate(rows.walk.rows, row).of[1], begin = first - row * rows.padded;
    for (int i = thread_index(); i < sort_tile; i += thread_count()) items[i] = rows.item<T>(base, begin + i);
    block_barrier();
    for (int size = 2; size <= sort_tile; size *= 2) merge_tile(items, begin, sort_tile, size, size / 2);
    for (int i = thread_index(); i < sort_tile; i += thread_count()) to[first + i] = items[i];
}

// items [rows, padded]: one step between elements `stride` apart, in runs of `size`
__global__ void sort_step(SortItem* items, int64_t pairs, int64_t padded, int64_t size, int64_t stride) {
    for (int64_t pair = grid_thread_index(); pair < pairs; pair += grid_thread_count()) {
        const int64_t low = pair / stride * 2 * stride + pair % stride;
        order_pair(items[low], items[low + stride], ((low % padded) & size) == 0);
    }
}

// items [rows, padded]: all steps inside of tiles, in runs of `size`
__global__ void sort_merge_tiles(SortItem* all, int64_t padded, int64_t size) {
    SharedArena arena;
    SortItem* items = arena.take<SortItem>(sort_tile);
    const int64_t first = int64_t{block_index()} * sort_tile;
    for (int i = thread_index(); i < sort_tile; i += thread_count()) items[i] = all[first + i];
    block_barrier();
    merge_tile(items, first % padded, sort_tile, size, static_cast<int>(sort_tile / 2));
    for (int i = thread_index(); i < sort_tile; i += thread_count()) all[first + i] = items[i];
}

// items [rows, padded] -> values, indices [rows, k]
template <class T>
__global__ void write_sorted(SortRows rows, const SortItem* items) {
    const int64_t count = rows.walk.count * rows.walk.length;
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const int64_t row = i / rows.walk.length, place = i - row * rows.walk.length;
        rows.write<T>(locate(rows.walk.rows, row), place, items[row * rows.padded + place].index);
    }
}

template <class T>
void sort_long_rows(const SortRows& rows, Queue& queue) {
    const int64_t count = rows.walk.count * rows.padded, tiles = count / sort_tile;
    const Scratch scratch(queue, static_cast<size_t>(count) * sizeof(SortItem));
    SortItem* const items = scratch.as<SortItem>();
    const Grid grid{tiles, sort_threads, shared_bytes<SortItem>(sort_tile)};
    launch<sort_tiles<T>>(grid, queue.stream(), rows, items);
    for (int64_t size = 2 * sort_tile; size <= rows.padded; size *= 2) {
        for (int64_t stride = size / 2; stride >= sort_tile; stride /= 2)
            launch<sort_step>(elementwise_grid(count / 2), queue.stream(), items, count / 2, rows.padded,
                              size, stride);
        launch<sort_merge_tiles>(grid, queue.stream(), items, rows.padded, size);
    }
    launch<write_sorted<T>>(elementwise_grid(rows.walk.count * rows.walk.length), queue.stream(), rows,
                            items);
}

template <class T>
void run_sort(const SortRows& rows, Queue& queue) {
    if (rows.padded > sort_tile) return sort_long_rows<T>(rows, queue);
    const int64_t pairs = rows.padded / 2;
    const int threads = static_cast<int>(pairs < warp_size      ? warp_size
                                         : pairs > sort_threads ? sort_threads
                                                                : pairs);
    launch<sort_short_rows<T>>(
        Grid{rows.walk.count, threads, shared_bytes<SortItem>(static_cast<size_t>(rows.padded))},
        queue.stream(), rows);
}

}  // namespace

namespace ops {

// x [.., D, ..] -> values [.., K, ..], indices [.., K, ..]: the first K <= D of each row in sorted order;
// equal elements keep their order, NaN counts as the largest
void sort(const OpCall& call, const SortParams& params, Queue& queue) {
    expect_operands(call, 1, 2);
    const TensorView &x = call.inputs[0], &values = call.outputs[0], &indices = call.outputs[1];
    if (x.rank != values.rank || params.axis < 0 || params.axis >= x.rank || values.dtype != x.dtype ||
        values.shape[params.axis] > x.shape[params.axis]) {
        fail("needs outputs of x's rank with at most as many elements along the axis");
    }
    TensorView wanted = x;
    wanted.shape[params.axis] = values.shape[params.axis];
    const AxisWalk walk = AxisWalk::of(values, wanted, indices, params.axis);
    if (walk.count == 0 || walk.length == 0) return;
    SortRows rows{source_of(x),         values.data, indices.data,          values.dtype, indices.dtype, walk,
                  x.shape[params.axis], 1,           params.descending != 0};
    while (rows.padded < rows.n) rows.padded *= 2;
    if (compute_class(x.dtype) == ComputeClass::i64) return run_sort<int64_t>(rows, queue);
    run_sort<double>(rows, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
