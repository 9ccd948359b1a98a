#include "backend/ops.h"
#include "device/device.h"
#include "kernels/images/images.h"
#include "kernels/strided.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// For each position of the output along one axis: how many positions of the input it reads, which, with what
// weights. Where all weights of a position are equal, they are taken out of the sum, so that averages stay
// exact.
struct AxisTaps {
    double *weight, *scale;     // [outputs, most], [outputs]
    int32_t *position, *count;  // [outputs, most], [outputs]
    int64_t outputs, most;

    static size_t bytes(int64_t outputs, int64_t most) {
        return static_cast<size_t>(outputs) * static_cast<size_t>(most + 1) *
               (sizeof(double) + sizeof(int32_t));
    }
    AxisTaps(char* memory, int64_t outputs, int64_t most) : outputs(outputs), most(most) {
        weight = reinterpret_cast<double*>(memory);
        scale = weight + outputs * most;
        position = reinterpret_cast<int32_t*>(scale + outputs);
        count = position + outputs * most;
    }
};

struct TapTable {
    const int32_t* index;
    const double* weights;
    int64_t index_strides[2], weight_strides[2];
};

// table [outputs, most] -> taps; a thread for each position of the output
__device__ __forceinline__ void prepare_taps(const TapTable& table, const AxisTaps& taps, int64_t inputs,
                                             const FaultReport& faults) {
    for (int64_t o = grid_thread_index(); o < taps.outputs; o += grid_thread_count()) {
        int32_t count = 0;
        bool equal = true;
        double* const weight = taps.weight + o * taps.most;
        double common = 0;
        for (int64_t k = 0; k < taps.most; ++k) {
            const int32_t at = table.index[o * table.index_strides[0] + k * table.index_strides[1]];
            if (at < 0) continue;
            if (at >= inputs) {
                faults.raise(FaultKind::index_out_of_range, at, inputs, o * taps.most + k);
                continue;
            }
            const double share = table.weights[o * table.weight_strides[0] + k * table.weight_strides[1]];
            if (count == 0) common = share;
            equal = equal && share == common;
            taps.position[o * taps.most + count] = at;
            weight[count++] = share;
        }
        equal = equal && count > 0;
        for (int32_t k = 0; k < count && equal; ++k) weight[k] = 1;
        taps.scale[o] = equal ? common : 1;
        taps.count[o] = count;
    }
}

// x [N, C, H, W] -> y [N, C, H', W']; a thread for a pixel of Elements::width channels
template <class Elements>
__device__ __forceinline__ void add_taps(const Elements& x, const ImageShape& from, const Elements& y,
                                         const ImageShape& to, const AxisTaps& rows, const AxisTaps& columns,
                                         int64_t count) {
    using T = typename Elements::Compute;
    constexpr int width = Elements::width;
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const Pixel out = pixel_at(to, i, width);
        T sums[width], values[width];
        for (int k = 0; k < width; ++k) sums[k] = 0;
        const int64_t row_end = out.row * rows.most + rows.count[out.row];
        const int64_t column_end = out.column * columns.most + columns.count[out.column];
        for (int64_t r = out.row * rows.most; r < row_end; ++r) {
            for (int64_t s = out.column * columns.most; s < column_end; ++s) {
                const T share = static_cast<T>(rows.weight[r] * columns.weight[s]);
                x.load(from.offset(out.n, out.c, rows.position[r], columns.position[s]), values);
                for (int k = 0; k < width; ++k) sums[k] += share * values[k];
            }
        }
        const T scale = static_cast<T>(rows.scale[out.row] * columns.scale[out.column]);
        for (int k = 0; k < width; ++k) sums[k] *= scale;
        y.store(to.offset(out.n, out.c, out.row, out.column), sums);
    }
}

void check_table(const TensorView& index, const TensorView& weights, int64_t outputs) {
    if (index.rank != 2 || weights.rank != 2 || index.shape[0] != outputs || weights.shape[0] != outputs ||
        index.shape[1] != weights.shape[1] || index.dtype != DType::int32 || weights.dtype != DType::float64)
        fail("a table of taps has the wrong shape or dtype");
}

void prepare(const TensorView& index, const TensorView& weights, const AxisTaps& taps, int64_t inputs,
             Queue& queue) {
    const TapTable table{static_cast<const int32_t*>(index.data),
                         static_cast<const double*>(weights.data),
                         {index.strides[0], index.strides[1]},
                         {weights.strides[0], weights.strides[1]}};
    launch_batched<prepare_taps, unbounded>(elementwise_grid(taps.outputs), queue.stream(), table, taps,
                                            inputs, queue.fault_report(OpCode::resample2d).in(index));
}

}  // namespace

namespace ops {

// x [N, C, H, W], row index int32 [H', R], row weight float64 [H', R], column index [W', S], column weight
// [W', S] -> y [N, C, H', W'] = sum over r, s of row weight * column weight * x[row index, column index];
// a negative index stands for no tap
void resample2d(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 5, 1);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.rank != 4 || y.rank != 4 || x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1])
        fail("batch or channels differ");
    const TensorView &row_index = call.inputs[1], &column_index = call.inputs[3];
    check_table(row_index, call.inputs[2], y.shape[2]);
    check_table(column_index, call.inputs[4], y.shape[3]);
    if (element_count(y) == 0) return;
    if (!is_float(y.dtype)) fail("needs a float dtype, got %s", dtype_name(y.dtype));
    const Scratch row_memory(queue, AxisTaps::bytes(y.shape[2], row_index.shape[1]));
    const Scratch column_memory(queue, AxisTaps::bytes(y.shape[3], column_index.shape[1]));
    const AxisTaps rows(row_memory.as<char>(), y.shape[2], row_index.shape[1]);
    const AxisTaps columns(column_memory.as<char>(), y.shape[3], column_index.shape[1]);
    prepare(row_index, call.inputs[2], rows, x.shape[2], queue);
    prepare(column_index, call.inputs[4], columns, x.shape[3], queue);
    with_elements(y, x, true, [&](auto elements) {
        using Elements = typename decltype(elements)::type;
        const int64_t count = element_count(y) / Elements::width;
        launch_batched<add_taps<Elements>, unbounded>(elementwise_grid(count), queue.stream(), Elements(x),
                                                      ImageShape(x), Elements(y), ImageShape(y), rows,
                                                      columns, count);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
