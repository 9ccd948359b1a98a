// Running sums and products along rows, in an order that depends on the shape alone.
#pragma once

#include "backend/queue.h"
#include "device/device.h"
#include "kernels/axis_walk.h"

namespace nativegrad::cuda {

constexpr int scan_threads = 256;
constexpr int scan_run = 4;  // neighbours that a lane takes
constexpr int scan_tile = scan_threads * scan_run;

struct PlusOf {
    __device__ __forceinline__ double operator()(double a, double b) const { return a + b; }
    __device__ __forceinline__ int64_t operator()(int64_t a, int64_t b) const {
        return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    }
};
struct TimesOf {
    __device__ __forceinline__ double operator()(double a, double b) const { return a * b; }
};

// What the lanes before this one have together (`identity` in the first), and what all have, in `all`. Every
// lane of the block takes part; parts [block_reduce_parts] may be used again at once.
template <class T, class Combine>
__device__ __forceinline__ T block_scan(T value, Combine combine, T identity, T* parts, T& all) {
    T sum = value;
    for (int step = 1; step < warp_size; step *= 2) {
        const T before = shuffle_up(sum, step);
        if (lane_index() >= step) sum = combine(before, sum);
    }
    T before = shuffle_up(sum, 1);
    if (lane_index() == 0) before = identity;
    if (lane_index() == warp_size - 1) parts[warp_index()] = sum;
    block_barrier();
    T warps = identity;
    all = identity;
    for (int i = 0; i < warp_count(); ++i) {
        if (i == warp_index()) warps = all;
        all = combine(all, parts[i]);
    }
    block_barrier();
    return combine(warps, before);
}

// x [rows, n] -> out [rows, n]: what the elements up to each one make together, without itself where
// `exclusive`, from the end where `reverse`, times an element of `times` [rows, n] where it has data. Total:
// double or int64_t.
struct ScanCall {
    Source x, times;
    void* out;
    DType dtype;
    AxisWalk walk;  // out, x
    bool reverse, exclusive;
};

void scan_sums(const ScanCall& call, bool integers, Stream stream);
void scan_products(const ScanCall& call, Stream stream);

}  // namespace nativegrad::cuda
