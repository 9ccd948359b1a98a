#include "backend/ops.h"
#include "kernels/groups.h"
#include "kernels/values.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// scores [N, C], labels [N] and weights [C] (no data: all 1), of any strides
struct ScoreRows {
    Source scores, labels, weights;
    int64_t rows, classes, row_stride, class_stride, label_stride, weight_stride;
    int64_t ignored;
    Live<double> smoothing;

    template <class T>
    __device__ __forceinline__ T score(int64_t row, int64_t c) const {
        return load_as<T>(scores, row * row_stride + c * class_stride);
    }
    template <class T>
    __device__ __forceinline__ T weight(int64_t c) const {
        return load_as<T>(weights, c * weight_stride);
    }
    // The label, or -1 where the row counts for nothing; one that is no class is told by the first lane.
    __device__ __forceinline__ int64_t label(int64_t row, bool tells, const FaultReport& report) const {
        const int64_t value = load_as<int64_t>(labels, row * label_stride);
        if (value == ignored) return -1;
        if (value >= 0 && value < classes) return value;
        if (tells) report.raise(FaultKind::label_out_of_range, value, classes, row);
        return -1;
    }
};

// The largest score of a row and the sum of exp(x - largest), in all lanes of the group.
template <class T>
struct RowTotal {
    T shift, total;

    __device__ __forceinline__ RowTotal(const ScoreRows& of, int64_t row, int64_t n, const Group& group,
                                        T* parts) {
        const T nothing = -static_cast<T>(infinity());
        shift = nothing;
        for (int64_t c = group.member; c < n; c += group.lanes) shift = MaxOf()(shift, of.score<T>(row, c));
        shift = group.reduce(shift, MaxOf(), nothing, parts);
        total = 0;
        for (int64_t c = group.member; c < n; c += group.lanes) total += exp(of.score<T>(row, c) - shift);
        total = group.reduce(total, AddOf(), T(0), parts);
    }
};

// scores [N, C], labels [N] (, weights [C]) -> losses [N]; a group of lanes per row
template <class T>
__device__ __forceinline__ void cross_entropy_rows(const ScoreRows& of, void* losses, DType dtype,
                                                   int64_t loss_stride, int lanes,
                                                   const FaultReport& report) {
    SharedArena arena;
    T* parts = arena.take<T>(block_reduce_parts);
    const Group group(lanes);
    const bool valid = group.index < of.rows;
    const int64_t row = valid ? group.index : 0;
    const bool is_first = group.member == 0 && valid;
    const int64_t label = valid ? of.label(row, is_first, report) : -1;
    const int64_t n = label >= 0 ? of.classes : 0;
    const RowTotal<T> made(of, row, n, group, parts);
    const T log_total = log(made.total);
    const double smoothed = of.smoothing.get();
    T spread = 0;
    if (smoothed != 0) {
        for (int64_t c = group.member; c < n; c += group.lanes)
            spread += of.weight<T>(c) * (made.shift - of.score<T>(row, c) + log_total);
        spread = group.reduce(spread, AddOf(), T(0), parts);
    }
    if (!is_first) return;
    T loss = 0;
    if (label >= 0) {
        const T smoothing = static_cast<T>(smoothed);
        loss = (T(1) - smoothing) * of.weight<T>(label) * (made.shift - of.score<T>(row, label) + log_total);
        if (smoothing != T(0)) loss += smoothing / static_cast<T>(of.classes) * spread;
    }
    store_as(losses, dtype, row * loss_stride, loss);
}

// Of each loss: of its own, or of their mean by what it divided by.
struct Upstream {
    Source gradients, divisor;
    int64_t stride;

    template <class T>
    __device__ __forceinline__ T of(int64_t row) const {
        return load_as<T>(gradients, row * stride) / load_as<T>(divisor, 0);
    }
};

// d losses [N], scores [N, C], labels [N] (, weights [C]) -> d scores [N, C], row-major
template <class T>
__device__ __forceinline__ void cross_entropy_backward_rows(const ScoreRows& of, const Upstream& upstream,
                                                            void* dx, DType dtype, int lanes,
                                                            const FaultReport& report) {
    SharedArena arena;
    T* parts = arena.take<T>(block_reduce_parts);
    const Group group(lanes);
    const bool valid = group.index < of.rows;
    const int64_t row = valid ? group.index : 0;
    const int64_t label = valid ? of.label(row, group.member == 0, report) : -1;
    const int64_t n = label >= 0 ? of.classes : 0;
    const RowTotal<T> made(of, row, n, group, parts);
    const double smoothed = of.smoothing.get();
    T weight_sum = static_cast<T>(of.classes);
    if (of.weights.data != nullptr && smoothed != 0) {
        weight_sum = 0;
        for (int64_t c = group.member; c < n; c += group.lanes) weight_sum += of.weight<T>(c);
        weight_sum = group.reduce(weight_sum, AddOf(), T(0), parts);
    }
    if (!valid) return;
    const T smoothing = static_cast<T>(smoothed), share = smoothing / static_cast<T>(of.classes);
    const T on_target = label >= 0 ? (T(1) - smoothing) * of.weight<T>(label) : T(0);
    const T scale = label >= 0 ? upstream.of<T>(row) : T(0);
    for (int64_t c = group.member; c < of.classes; c += group.lanes) {
        T gradient = 0;
        if (label >= 0) {
            const T p = exp(of.score<T>(row, c) - made.shift) / made.total;
            const T spread = smoothing != T(0) ? share * of.weight<T>(c) : T(0);
            gradient = scale * (p * (on_target + share * weight_sum) - spread);
            if (c == label) gradient -= scale * on_target;
        }
        store_as(dx, dtype, row * of.classes + c, gradient);
    }
}

template <class Params>
double smoothing_of(const Params& params) {
    return params.label_smoothing.values[0];
}

constexpr Source one{nullptr, DType::float64, 1};

template <class Params>
ScoreRows score_rows(const TensorView& x, const TensorView& labels, const TensorView* weight,
                     const Params& params, const Queue& queue) {
    if (x.rank != 2 || labels.rank != 1 || labels.shape[0] != x.shape[0] || is_float(labels.dtype) ||
        (weight != nullptr && (weight->rank != 1 || weight->shape[0] != x.shape[1]))) {
        fail("needs scores [N, C], integer labels [N] and weights [C]");
    }
    return {source_of(x),
            source_of(labels),
            weight == nullptr ? one : source_of(*weight),
            x.shape[0],
            x.shape[1],
            x.strides[0],
            x.strides[1],
            labels.strides[0],
            weight == nullptr ? 0 : weight->strides[0],
            params.ignore_index,
            queue.live(params, &smoothing_of<Params>)};
}

int lanes_for(int64_t classes) { return classes <= 2048 ? warp_size : group_threads; }

}  // namespace

namespace ops {

// scores [N, C], labels [N], (weights [C]) -> losses [N]
// loss_i = (1 - s) w_t (lse_i - x_it) + s / C sum_c w_c (lse_i - x_ic), lse = log-sum-exp; 0 where the label
// is ignored
void cross_entropy(const OpCall& call, const CrossEntropyParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &x = call.inputs[0], &losses = call.outputs[0];
    const ScoreRows rows =
        score_rows(x, call.inputs[1], call.input_count == 3 ? &call.inputs[2] : nullptr, params, queue);
    with_float_compute(x.dtype, [&](auto type) {
        using T = decltype(type);
        if (rows.rows == 0) return;
        const int lanes = lanes_for(rows.classes);
        launch_batched<cross_entropy_rows<T>>(
            group_grid(rows.rows, lanes, shared_bytes<T>(block_reduce_parts)), queue.stream(), rows,
            losses.data, losses.dtype, losses.strides[0], lanes, queue.fault_report(OpCode::cross_entropy));
    });
}

// d losses [N], scores [N, C], labels [N], (divisor []), (weights [C]) -> d scores [N, C]
void cross_entropy_backward(const OpCall& call, const CrossEntropyBackwardParams& params, Queue& queue) {
    const int32_t least = params.mean != 0 ? 4 : 3;
    expect_operands(call, call.input_count == least + 1 ? least + 1 : least, 1);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dx = call.outputs[0];
    const ScoreRows rows = score_rows(
        x, call.inputs[2], call.input_count > least ? &call.inputs[least] : nullptr, params, queue);
    if (!is_row_major(dx)) fail("needs a dense output");
    const Upstream upstream{source_of(dy), params.mean != 0 ? source_of(call.inputs[3]) : one, dy.strides[0]};
    with_float_compute(x.dtype, [&](auto type) {
        using T = decltype(type);
        if (rows.rows == 0) return;
        const int lanes = lanes_for(rows.classes);
        launch_batched<cross_entropy_backward_rows<T>>(
            group_grid(rows.rows, lanes, shared_bytes<T>(block_reduce_parts)), queue.stream(), rows, upstream,
            dx.data, dx.dtype, lanes, queue.fault_report(OpCode::cross_entropy_backward));
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
