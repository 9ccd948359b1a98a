#include "backend/ops.h"
#include "kernels/axis_walk.h"
#include "kernels/groups.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// Packs that a lane keeps of a row; longer rows are read again.
constexpr int held_packs = 2;

// The largest of the elements seen and the sum of exp(x - largest). While only -infinity was seen the sum is
// 0.
template <class T>
struct ExpSum {
    T largest = -static_cast<T>(infinity()), total = 0;

    static __device__ __forceinline__ T shift_of(T largest) {
        return largest == -static_cast<T>(infinity()) ? T(0) : largest;
    }
    __device__ __forceinline__ void add(const T (&x)[row_pack]) {
        T best = largest;
        for (int k = 0; k < row_pack; ++k) best = MaxOf()(best, x[k]);
        const T shift = shift_of(best);
        T sum = 0;
        for (int k = 0; k < row_pack; ++k) sum += exp(x[k] - shift);
        total = total * exp(largest - shift) + sum;
        largest = best;
    }
    // What the lanes of the group have seen, together.
    __device__ __forceinline__ void join(const Group& group, T* parts) {
        const T best = group.reduce(largest, MaxOf(), -static_cast<T>(infinity()), parts);
        total = group.reduce(total * exp(largest - shift_of(best)), AddOf(), T(0), parts);
        largest = best;
    }
    // y of an element; `last` is log(total) or 1 / total
    __device__ __forceinline__ T last(bool log_form) const { return log_form ? log(total) : T(1) / total; }
    __device__ __forceinline__ T result(T x, T last, bool log_form) const {
        return log_form ? x - largest - last : exp(x - largest) * last;
    }
};

// x [rows, n] -> y [rows, n]; a group of lanes per row
template <class T, bool held>
__device__ __forceinline__ void softmax_rows(const Source& x, void* y, DType dtype, const AxisWalk& walk,
                                             int lanes, bool log_form) {
    SharedArena arena;
    T* parts = arena.take<T>(block_reduce_parts);
    const Group group(lanes);
    const bool valid = group.index < walk.count;
    const Offsets<3> at = locate(walk.rows, valid ? group.index : 0);
    const T nothing = -static_cast<T>(infinity());
    const int64_t n = valid ? walk.length : 0, stride = int64_t{lanes} * row_pack;
    const int64_t first = int64_t{group.member} * row_pack;
    T kept[held_packs][row_pack];
    ExpSum<T> sum;
    if constexpr (held) {
#pragma unroll
        for (int p = 0; p < held_packs; ++p) {
            load_chunk(x, at.of[1], walk.steps[1], first + p * stride, n, walk.packs, nothing, kept[p]);
            sum.add(kept[p]);
        }
    } else {
        for (int64_t i = first; i < n; i += stride) {
            load_chunk(x, at.of[1], walk.steps[1], i, n, walk.packs, nothing, kept[0]);
            sum.add(kept[0]);
        }
    }
    sum.join(group, parts);
    const T last = sum.last(log_form);
    if constexpr (held) {
#pragma unroll
        for (int p = 0; p < held_packs; ++p) {
            for (int k = 0; k < row_pack; ++k) kept[p][k] = sum.result(kept[p][k], last, log_form);
            store_chunk(y, dtype, at.of[0], walk.steps[0], first + p * stride, n, walk.packs, kept[p]);
        }
    } else {
        for (int64_t i = first; i < n; i += stride) {
            load_chunk(x, at.of[1], walk.steps[1], i, n, walk.packs, nothing, kept[0]);
            for (int k = 0; k < row_pack; ++k) kept[0][k] = sum.result(kept[0][k], last, log_form);
            store_chunk(y, dtype, at.of[0], walk.steps[0], i, n, walk.packs, kept[0]);
        }
    }
}

// x [n, rows] -> y [n, rows]; a lane per row
template <class T>
__device__ __forceinline__ void softmax_columns(const Source& x, void* y, DType dtype, const AxisWalk& walk,
                                                bool log_form) {
    const int64_t row = grid_thread_index();
    if (row >= walk.count) return;
    const Offsets<3> at = locate(walk.rows, row);
    const T nothing = -static_cast<T>(infinity());
    T values[row_pack];
    ExpSum<T> sum;
    for (int64_t i = 0; i < walk.length; i += row_pack) {
        load_chunk(x, at.of[1], walk.steps[1], i, walk.length, false, nothing, values);
        sum.add(values);
    }
    const T last = sum.last(log_form);
    for (int64_t i = 0; i < walk.length; ++i) {
        const T value = load_as<T>(x, at.of[1] + i * walk.steps[1]);
        store_as(y, dtype, at.of[0] + i * walk.steps[0], sum.result(value, last, log_form));
    }
}

template <class T>
__device__ __forceinline__ T gradient_sum(const T (&dy)[row_pack], const T (&y)[row_pack], bool log_form) {
    T sum = 0;
    for (int k = 0; k < row_pack; ++k) sum += log_form ? dy[k] : dy[k] * y[k];
    return sum;
}

template <class T>
__device__ __forceinline__ T gradient_of(T dy, T y, T total, bool log_form) {
    return log_form ? dy - exp(y) * total : y * (dy - total);
}

// dy, y [rows, n] -> dx [rows, n]; a group of lanes per row
template <class T>
__device__ __forceinline__ void softmax_backward_rows(const Source& dy, const Source& y, void* dx,
                                                      DType dtype, const AxisWalk& walk, int lanes,
                                                      bool log_form) {
    SharedArena arena;
    T* parts = arena.take<T>(block_reduce_parts);
    const Group group(lanes);
    const bool valid = group.index < walk.count;
    const Offsets<3> at = locate(walk.rows, valid ? group.index : 0);
    const int64_t n = valid ? walk.length : 0, stride = int64_t{lanes} * row_pack;
    const int64_t first = int64_t{group.member} * row_pack;
    T g[row_pack], made[row_pack];
    T total = 0;
    for (int64_t i = first; i < n; i += stride) {
        load_chunk(dy, at.of[1], walk.steps[1], i, n, walk.packs, T(0), g);
        load_chunk(y, at.of[2], walk.steps[2], i, n, walk.packs, T(0), made);
        total += gradient_sum(g, made, log_form);
    }
    total = group.reduce(total, AddOf(), T(0), parts);
    for (int64_t i = first; i < n; i += stride) {
        load_chunk(dy, at.of[1], walk.steps[1], i, n, walk.packs, T(0), g);
        load_chunk(y, at.of[2], walk.steps[2], i, n, walk.packs, T(0), made);
        for (int k = 0; k < row_pack; ++k) g[k] = gradient_of(g[k], made[k], total, log_form);
        store_chunk(dx, dtype, at.of[0], walk.steps[0], i, n, walk.packs, g);
    }
}

// dy, y [n, rows] -> dx [n, rows]; a lane per row
template <class T>
__device__ __forceinline__ void softmax_backward_columns(const Source& dy, const Source& y, void* dx,
                                                         DType dtype, const AxisWalk& walk, bool log_form) {
    const int64_t row = grid_thread_index();
    if (row >= walk.count) return;
    const Offsets<3> at = locate(walk.rows, row);
    T g[row_pack], made[row_pack];
    T total = 0;
    for (int64_t i = 0; i < walk.length; i += row_pack) {
        load_chunk(dy, at.of[1], walk.steps[1], i, walk.length, false, T(0), g);
        load_chunk(y, at.of[2], walk.steps[2], i, walk.length, false, T(0), made);
        total += gradient_sum(g, made, log_form);
    }
    for (int64_t i = 0; i < walk.length; ++i) {
        const T gradient = load_as<T>(dy, at.of[1] + i * walk.steps[1]);
        const T value = load_as<T>(y, at.of[2] + i * walk.steps[2]);
        store_as(dx, dtype, at.of[0] + i * walk.steps[0], gradient_of(gradient, value, total, log_form));
    }
}

// How many lanes share a row.
int lanes_for(int64_t length) {
    return length <= warp_size * row_pack * held_packs ? warp_size : group_threads;
}

Grid column_grid(const AxisWalk& walk) { return {blocks_for(walk.count, group_threads), group_threads}; }

}  // namespace

namespace ops {

// x [...] -> y [...], along params.axis
void softmax(const OpCall& call, const SoftmaxParams& params, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    AxisWalk walk = AxisWalk::of(y, x, x, params.axis);
    if (walk.count == 0 || walk.length == 0) return;
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        walk.packs = walk.packs && packs_as<T>(x.dtype) && packs_as<T>(y.dtype);
        const bool log_form = params.log != 0;
        const Stream stream = queue.stream();
        if (walk.columns)
            return launch_batched<softmax_columns<T>, unbounded>(column_grid(walk), stream, source_of(x),
                                                                 y.data, y.dtype, walk, log_form);
        const int lanes = lanes_for(walk.length);
        const Grid grid = group_grid(walk.count, lanes, shared_bytes<T>(block_reduce_parts));
        if (walk.length <= lanes * row_pack * held_packs) {
            launch_batched<softmax_rows<T, true>, unbounded>(grid, stream, source_of(x), y.data, y.dtype,
                                                             walk, lanes, log_form);
        } else {
            launch_batched<softmax_rows<T, false>, unbounded>(grid, stream, source_of(x), y.data, y.dtype,
                                                              walk, lanes, log_form);
        }
    });
}

// dy [...], y [...] -> dx [...]
void softmax_backward(const OpCall& call, const SoftmaxParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView &dy = call.inputs[0], &y = call.inputs[1], &dx = call.outputs[0];
    AxisWalk walk = AxisWalk::of(dx, dy, y, params.axis);
    if (walk.count == 0 || walk.length == 0) return;
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        walk.packs = walk.packs && packs_as<T>(dx.dtype) && packs_as<T>(dy.dtype) && packs_as<T>(y.dtype);
        const bool log_form = params.log != 0;
        if (walk.columns)
            return launch_batched<softmax_backward_columns<T>, unbounded>(column_grid(walk), queue.stream(),
                                                                          source_of(dy), source_of(y),
                                                                          dx.data, dx.dtype, walk, log_form);
        const int lanes = lanes_for(walk.length);
        const Grid grid = group_grid(walk.count, lanes, shared_bytes<T>(block_reduce_parts));
        launch_batched<softmax_backward_rows<T>, unbounded>(grid, queue.stream(), source_of(dy), source_of(y),
                                                            dx.data, dx.dtype, walk, lanes, log_form);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
