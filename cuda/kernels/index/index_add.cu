#include "backend/ops.h"
#include "device/device.h"
#include "kernels/index/index_source.h"
#include "kernels/index/key_order.h"
#include "kernels/strided.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// index [n] -> keys [n]: the places of the slices, `size` for those that are left out
__device__ __forceinline__ void place_keys(const IndexSource& index, int64_t stride, int64_t n, int64_t size,
                                           int64_t skip, uint32_t* keys, const FaultReport& faults) {
    for (int64_t i = grid_thread_index(); i < n; i += grid_thread_count()) {
        const int64_t place = read_place(index, i * stride, size, faults, i);
        keys[i] = static_cast<uint32_t>(place < 0 || place == skip ? size : place);
    }
}

// The end of the run of keys that are equal to the one at `first`.
__device__ __forceinline__ int64_t end_of_run(const uint32_t* keys, int64_t first, int64_t n) {
    const uint32_t key = keys[first];
    int64_t low = first + 1, high = n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (keys[middle] == key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Dense dy [outer, n, inner] -> out [outer, size, inner]; a column is one of outer x inner.
struct Slices {
    int64_t n, size, inner, columns;
};

// A warp for 32 columns of each run of equal keys adds up its slices in their order.
template <class T>
__device__ __forceinline__ void add_runs(const T* dy, const uint32_t* keys, const int32_t* order, T* out,
                                         const Slices& slices) {
    const int64_t chunks = (slices.columns + warp_size - 1) / warp_size;
    const int64_t warps = grid_thread_count() / warp_size;
    for (int64_t w = grid_thread_index() / warp_size; w < slices.n * chunks; w += warps) {
        const int64_t first = w / chunks, column = w % chunks * warp_size + lane_index();
        const int64_t key = keys[first];
        const bool is_first = first == 0 || keys[first - 1] != key;
        if (key >= slices.size || !is_first || column >= slices.columns) continue;
        const int64_t outer = column / slices.inner, inner = column % slices.inner;
        const T* from = dy + outer * slices.n * slices.inner + inner;
        const int64_t end = end_of_run(keys, first, slices.n);
        T sum = 0;
#pragma unroll 4
        for (int64_t i = first; i < end; ++i) sum += from[order[i] * slices.inner];
        out[(outer * slices.size + key) * slices.inner + inner] = sum;
    }
}

// -> out [count] = 0
__device__ __forceinline__ void clear_words(uint32_t* out, int64_t count) {
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) out[i] = 0;
}

template <class T>
void add_slices(const TensorView& dy, const TensorView& out, const KeyOrder& order, const Slices& slices,
                Stream stream) {
    const int64_t chunks = (slices.columns + warp_size - 1) / warp_size;
    launch_batched<add_runs<T>, unbounded>(elementwise_grid(slices.n * chunks * warp_size), stream,
                                           static_cast<const T*>(dy.data), order.sorted_keys(), order.order(),
                                           static_cast<T*>(out.data), slices);
}

}  // namespace

namespace ops {

// dy [.., n, ..], index [n] -> out [.., D, ..]: the sum of the slices of dy with each index; float32 or
// float64, row-major
void index_add(const OpCall& call, const IndexAddParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView &dy = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    const int32_t axis = static_cast<int32_t>(params.axis);
    if (axis < 0 || axis >= out.rank || dy.rank != out.rank || index.rank != 1 || is_float(index.dtype) ||
        dy.dtype != out.dtype || dy.shape[axis] != index.shape[0] || !is_row_major(dy) ||
        !is_row_major(out)) {
        fail("needs dy [.., n, ..] and index [n]");
    }
    const int64_t n = index.shape[0], size = out.shape[axis], count = element_count(dy);
    if (out.dtype != DType::float32 && out.dtype != DType::float64)
        fail("needs float32 or float64, got %s", dtype_name(out.dtype));
    const int64_t words = element_count(out) * static_cast<int64_t>(item_size(out.dtype) / sizeof(uint32_t));
    // Not fill_bytes(), which has no form for several models.
    if (words > 0)
        launch_batched<clear_words, unbounded>(elementwise_grid(words), queue.stream(),
                                               static_cast<uint32_t*>(out.data), words);
    if (count == 0) return;
    int64_t inner = 1;
    for (int32_t i = axis + 1; i < out.rank; ++i) inner *= out.shape[i];
    KeyOrder order(queue, n, size);
    launch_batched<place_keys, unbounded>(elementwise_grid(n), queue.stream(), index_source(index),
                                          index.strides[0], n, size, params.skip, order.keys(),
                                          queue.fault_report(OpCode::index_add));
    order.sort();
    const Slices slices{n, size, inner, count / n};
    if (out.dtype == DType::float32) return add_slices<float>(dy, out, order, slices, queue.stream());
    add_slices<double>(dy, out, order, slices, queue.stream());
}

}  // namespace ops

}  // namespace nativegrad::cuda
