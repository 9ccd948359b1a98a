#include "backend/ops.h"
#include "device/device.h"
#include "kernels/index/gather_operands.h"
#include "kernels/index/index_source.h"
#include "kernels/index/key_order.h"
#include "kernels/strided.h"
#include "kernels/values.h"

namespace nativegrad::cuda {

namespace {

// Rows of the index along its axis; the strides are those along it.
struct Rows {
    StridedAxes<4> axes;  // out, index, source, position: their first elements
    int64_t count, n, size;
    int64_t out_stride, index_stride, source_stride, position_stride;
    DType out_dtype;
};

// index [.., n, ..], source [.., n, ..] -> out [.., D, ..] +=; a thread goes along a row. For dtypes whose
// sums lose nothing when they are stored after each addition.
template <class T>
__device__ __forceinline__ void add_along_rows(const IndexSource& index, const Source& source, void* out,
                                               const Rows& rows, const FaultReport& faults) {
    for (int64_t row = grid_thread_index(); row < rows.count; row += grid_thread_count()) {
        const Offsets<4> at = locate(rows.axes, row);
        const Source sums{out, rows.out_dtype, 0};
        for (int64_t i = 0; i < rows.n; ++i) {
            const int64_t place = read_place(index, at.of[1] + i * rows.index_stride, rows.size, faults,
                                             at.of[3] + i * rows.position_stride);
            if (place < 0) continue;
            const int64_t to = at.of[0] + place * rows.out_stride;
            const T sum = load_as<T>(sums, to) + load_as<T>(source, at.of[2] + i * rows.source_stride);
            store_as(out, rows.out_dtype, to, sum);
        }
    }
}

// index [.., n, ..] -> keys [rows * n]: row * size + place, `limit` where the index is wrong
__device__ __forceinline__ void element_keys(const IndexSource& index, const StridedAxes<3>& axes,
                                             int64_t count, int64_t n, int64_t size, int64_t limit,
                                             uint32_t* keys, const FaultReport& faults) {
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const Offsets<3> at = locate(axes, i);
        const int64_t place = read_place(index, at.of[1], size, faults, at.of[2]);
        keys[i] = static_cast<uint32_t>(place < 0 ? limit : at.of[0] / n * size + place);
    }
}

// Elements in the order of their keys.
struct Sorted {
    const uint32_t* keys;
    const int32_t* order;
    StridedAxes<3> axes;  // item, source, out without the axis
    int64_t count, n, size, limit, out_stride;
    DType out_dtype;
};

// source [.., n, ..] -> out [.., D, ..] +=; a thread for each run of equal keys
template <class T>
__device__ __forceinline__ void add_equal_keys(const Source& source, void* out, const Sorted& sorted) {
    for (int64_t i = grid_thread_index(); i < sorted.count; i += grid_thread_count()) {
        const int64_t key = sorted.keys[i];
        if (key == sorted.limit || (i > 0 && sorted.keys[i - 1] == key)) continue;
        const int64_t row = key / sorted.size, place = key % sorted.size;
        const int64_t to = locate(sorted.axes, row * sorted.n).of[2] + place * sorted.out_stride;
        T sum = load_as<T>(Source{out, sorted.out_dtype, 0}, to);
        for (int64_t k = i; k < sorted.count && sorted.keys[k] == key; ++k)
            sum += load_as<T>(source, locate(sorted.axes, sorted.order[k]).of[1]);
        store_as(out, sorted.out_dtype, to, sum);
    }
}

// A view whose offsets count the elements of the index, those along its axis the fastest.
TensorView items_of(const TensorView& index, int32_t axis) {
    TensorView result = index;
    int64_t stride = index.shape[axis];
    result.strides[axis] = 1;
    for (int32_t i = index.rank - 1; i >= 0; --i) {
        if (i == axis) continue;
        result.strides[i] = stride;
        stride *= index.shape[i];
    }
    return result;
}

TensorView without_axis(const TensorView& view, const TensorView& index, int32_t axis) {
    TensorView result = beside_axis(view, index, axis);
    result.shape[axis] = 1;
    return result;
}

template <class T>
void add_by_rows(const OpCall& call, int32_t axis, Queue& queue, const FaultReport& faults) {
    const TensorView &index = call.inputs[1], &source = call.inputs[2], &out = call.outputs[0];
    const TensorView position = positions_of(index);
    const TensorView first_out = without_axis(out, index, axis),
                     first_index = without_axis(index, index, axis),
                     first_source = without_axis(source, index, axis),
                     first_position = without_axis(position, index, axis);
    const StridedAxes<4> axes({&first_out, &first_index, &first_source, &first_position});
    const Rows rows{axes,
                    axes.count(),
                    index.shape[axis],
                    out.shape[axis],
                    out.strides[axis],
                    index.strides[axis],
                    source.strides[axis],
                    position.strides[axis],
                    out.dtype};
    launch_batched<add_along_rows<T>, unbounded>(elementwise_grid(rows.count), queue.stream(),
                                                 index_source(index), source_of(source), out.data, rows,
                                                 faults);
}

template <class T>
void add_by_keys(const OpCall& call, int32_t axis, Queue& queue, const FaultReport& faults) {
    const TensorView &index = call.inputs[1], &out = call.outputs[0];
    const TensorView item = items_of(index, axis), position = positions_of(index);
    TensorView source = call.inputs[2];
    for (int32_t i = 0; i < index.rank; ++i) source.shape[i] = index.shape[i];
    const TensorView to = beside_axis(out, index, axis);
    const int64_t n = index.shape[axis], size = out.shape[axis], count = element_count(index);
    const int64_t limit = count / n * size;
    KeyOrder order(queue, count, limit);
    launch_batched<element_keys, unbounded>(elementwise_grid(count), queue.stream(), index_source(index),
                                            StridedAxes<3>({&item, &index, &position}), count, n, size, limit,
                                            order.keys(), faults);
    order.sort();
    const Sorted sorted{
        order.sorted_keys(), order.order(), StridedAxes<3>({&item, &source, &to}), count, n, size, limit,
        out.strides[axis],   out.dtype};
    launch_batched<add_equal_keys<T>, unbounded>(elementwise_grid(count), queue.stream(), source_of(source),
                                                 out.data, sorted);
}

// Threads that go along rows are the better choice where rows are short, or many.
bool goes_by_rows(const TensorView& index, const TensorView& out, int32_t axis) {
    if (out.dtype == DType::float16 || out.dtype == DType::bfloat16) return false;
    const int64_t n = index.shape[axis], rows = element_count(index) / n;
    if (rows * out.shape[axis] > KeyOrder::largest_limit || rows * n > INT32_MAX) return true;
    return n <= 8 || rows >= 4096;
}

}  // namespace

namespace ops {

// x [.., D, ..], index [.., n, ..], source [.., n.., ..] -> out = x, with source[.., i, ..] added at
// index[.., i, ..] along the axis
void scatter_add(const OpCall& call, const GatherParams& params, Queue& queue) {
    expect_operands(call, 3, 1);
    const TensorView &index = call.inputs[1], &source = call.inputs[2], &out = call.outputs[0];
    const int32_t axis = static_cast<int32_t>(params.axis);
    expect_gather_axis(index, params.axis);
    expect_same_sizes(call.inputs[0], out);
    expect_index_fits(index, out, params.axis, "x");
    expect_index_fits(index, source, params.axis, "the source");
    if (index.shape[axis] > source.shape[axis]) fail("needs as many source elements as indices");
    OpCall copied = call;
    copied.input_count = 1;
    copy(copied, {}, queue);
    if (element_count(index) == 0) return;
    const int64_t low = params.wrap != 0 ? -out.shape[axis] : 0;
    const FaultReport faults = queue.fault_report(OpCode::scatter_add).in(index, low);
    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        if (goes_by_rows(index, out, axis)) return add_by_rows<T>(call, axis, queue, faults);
        add_by_keys<T>(call, axis, queue, faults);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
