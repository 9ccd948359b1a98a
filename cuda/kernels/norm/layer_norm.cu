#include "kernels/dense.h"
#include "kernels/groups.h"
#include "kernels/norm/products.h"
#include "kernels/packs.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// Packs that a lane keeps of a row; longer rows are read again.
constexpr int held_packs = 2;

// x seen as [count, length]: the axes from `axis` on form one row.
struct NormRows {
    int64_t count = 1, length = 1;

    NormRows(const TensorView& x, int64_t axis) {
        if (axis < 0 || axis > x.rank) fail("axis %d of rank %d", static_cast<int>(axis), x.rank);
        for (int32_t i = 0; i < x.rank; ++i) (i < axis ? count : length) *= x.shape[i];
    }
    int lanes() const { return length <= warp_size * row_pack * held_packs ? warp_size : group_threads; }
};

// Dense operands of a row each or of all rows; weights without data are 1 and 0.
struct NormOperands {
    Source x, weight, bias;
    void *y, *mean, *inverse;
    DType dtype, mean_dtype, inverse_dtype;
    bool packs, affine;
};

// y of a pack, in place
template <class T>
__device__ __forceinline__ void normalize_pack(const NormOperands& of, int64_t i, int64_t n, T mean, T scale,
                                               T (&x)[row_pack]) {
    for (int k = 0; k < row_pack; ++k) x[k] = (x[k] - mean) * scale;
    if (!of.affine) return;
    T weight[row_pack], bias[row_pack];
    load_chunk(of.weight, 0, 1, i, n, of.packs, T(0), weight);
    load_chunk(of.bias, 0, 1, i, n, of.packs, T(0), bias);
    for (int k = 0; k < row_pack; ++k) x[k] = x[k] * weight[k] + bias[k];
}

// x [rows, n] (, weight, bias [n]) -> y [rows, n], mean, 1 / standard deviation [rows]; a group per row
template <class T, bool held>
__device__ __forceinline__ void layer_norm_rows(const NormOperands& of, int64_t rows, int64_t length,
                                                int lanes, const Live<double>& epsilon) {
    SharedArena arena;
    T* parts = arena.take<T>(block_reduce_parts);
    const Group group(lanes);
    const bool valid = group.index < rows;
    const int64_t n = valid ? length : 0, base = group.index * length, stride = int64_t{lanes} * row_pack;
    const int64_t first = int64_t{group.member} * row_pack;
    T kept[held ? held_packs : 1][row_pack];
    // body(pack, first element): all packs of this lane
    const auto each = [&](bool load, const auto& body) {
        if constexpr (held) {
#pragma unroll
            for (int p = 0; p < held_packs; ++p) {
                if (load) load_chunk(of.x, base, 1, first + p * stride, n, of.packs, T(0), kept[p]);
                body(kept[p], first + p * stride);
            }
        } else {
            for (int64_t i = first; i < n; i += stride) {
                load_chunk(of.x, base, 1, i, n, of.packs, T(0), kept[0]);
                body(kept[0], i);
            }
        }
    };
    T sum = 0;
    each(true, [&](const T(&x)[row_pack], int64_t) {
        for (int k = 0; k < row_pack; ++k) sum += x[k];
    });
    const T mean = group.reduce(sum, AddOf(), T(0), parts) / static_cast<T>(length);
    T squares = 0;
    each(false, [&](const T(&x)[row_pack], int64_t i) {
        for (int k = 0; k < row_pack; ++k) squares += i + k < n ? (x[k] - mean) * (x[k] - mean) : T(0);
    });
    const T variance = group.reduce(squares, AddOf(), T(0), parts) / static_cast<T>(length);
    const T scale = T(1) / sqrt(variance + static_cast<T>(epsilon.get()));
    each(false, [&](T(&x)[row_pack], int64_t i) {
        normalize_pack(of, i, n, mean, scale, x);
        store_chunk(of.y, of.dtype, base, 1, i, n, of.packs, x);
    });
    if (group.member != 0 || !valid) return;
    store_as(of.mean, of.mean_dtype, group.index, mean);
    store_as(of.inverse, of.inverse_dtype, group.index, scale);
}

double epsilon_of(const LayerNormParams& params) { return params.epsilon.values[0]; }

// Dense operands of the gradient; a weight without data is 1.
struct GradientOperands {
    Source dy, x, mean, inverse, weight;
    void* dx;
    DType dtype;
    bool packs;
};

// dy, x [rows, n], mean, 1 / standard deviation [rows] (, weight [n]) -> dx [rows, n]; a group per row
template <class T>
__device__ __forceinline__ void layer_norm_backward_rows(const GradientOperands& of, int64_t rows,
                                                         int64_t length, int lanes) {
    SharedArena arena;
    T* parts = arena.take<T>(block_reduce_parts);
    const Group group(lanes);
    const bool valid = group.index < rows;
    const int64_t row = valid ? group.index : 0, n = valid ? length : 0, base = row * length;
    const T mean = load_as<T>(of.mean, row), scale = load_as<T>(of.inverse, row);
    T g[row_pack], v[row_pack];
    const auto load = [&](int64_t i) {
        load_chunk(of.dy, base, 1, i, n, of.packs, T(0), g);
        load_chunk(of.x, base, 1, i, n, of.packs, mean, v);
        for (int k = 0; k < row_pack; ++k) v[k] = (v[k] - mean) * scale;
        if (of.weight.data == nullptr) return;
        T weight[row_pack];
        load_chunk(of.weight, 0, 1, i, n, of.packs, T(0), weight);
        for (int k = 0; k < row_pack; ++k) g[k] *= weight[k];
    };
    const int64_t first = int64_t{group.member} * row_pack, stride = int64_t{lanes} * row_pack;
    T sum = 0, product = 0;
    for (int64_t i = first; i < n; i += stride) {
        load(i);
        for (int k = 0; k < row_pack; ++k) {
            sum += g[k];
            product += g[k] * v[k];
        }
    }
    sum = group.reduce(sum, AddOf(), T(0), parts) / static_cast<T>(length);
    product = group.reduce(product, AddOf(), T(0), parts) / static_cast<T>(length);
    for (int64_t i = first; i < n; i += stride) {
        load(i);
        for (int k = 0; k < row_pack; ++k) g[k] = (g[k] - sum - v[k] * product) * scale;
        store_chunk(of.dx, of.dtype, base, 1, i, n, of.packs, g);
    }
}

// dy, x [rows, n], mean, 1 / standard deviation [rows] -> sums of dy and of dy v over the rows, in pieces
template <class T>
__device__ __forceinline__ void layer_norm_products(const GradientOperands& of, const ColumnPieces& plan,
                                                    ColumnSums* sums) {
    sum_columns<T>(plan, sums, [&](int64_t row, int64_t column, T& sum, T& product) {
        const int64_t at = row * plan.columns + column;
        const T dy = load_as<T>(of.dy, at);
        sum += dy;
        product += dy * (load_as<T>(of.x, at) - load_as<T>(of.mean, row)) * load_as<T>(of.inverse, row);
    });
}

// sums [n, pieces] -> dweight, dbias [n]; a warp per element
__device__ __forceinline__ void layer_norm_join(const ColumnSums* sums, const ColumnPieces& plan,
                                                void* dweight, DType weight_dtype, void* dbias,
                                                DType bias_dtype) {
    const int64_t column = int64_t{block_index()} * warp_count() + warp_index();
    if (column >= plan.columns) return;
    const ColumnSums total = join_columns(sums, column, plan.pieces);
    if (lane_index() != 0) return;
    store_as(dweight, weight_dtype, column, total.product);
    store_as(dbias, bias_dtype, column, total.sum);
}

void check_statistics(const TensorView& mean, const TensorView& inverse, const NormRows& rows) {
    if (element_count(mean) != rows.count || element_count(inverse) != rows.count)
        fail("needs one mean and one standard deviation per row");
}

void check_affine(const TensorView* views, int32_t count, const NormRows& rows) {
    for (int32_t i = 0; i < count; ++i) {
        if (element_count(views[i]) != rows.length)
            fail("needs one weight and one bias for each element of a row");
    }
}

void check_dense(const TensorView* views, int32_t count) {
    for (int32_t i = 0; i < count; ++i)
        if (!is_row_major(views[i])) fail("needs a dense output");
}

// True where all packs of rows lie in aligned memory of T's class.
template <class T>
bool rows_have_packs(int64_t length, std::initializer_list<const TensorView*> views) {
    bool all = length % row_pack == 0;
    for (const TensorView* view : views)
        all = all && (view == nullptr || (packs_as<T>(view->dtype) && is_aligned(view->data, 16)));
    return all;
}

constexpr Source no_source{nullptr, DType::float32, 1};

}  // namespace

namespace ops {

// x [..., L...] (, weight, bias [L...]) -> y = (x - mean) / sqrt(variance + eps) (weight + bias) of x's
// shape, mean, 1 / standard deviation [rows]
void layer_norm(const OpCall& call, const LayerNormParams& params, Queue& queue) {
    const bool affine = call.input_count == 3;
    expect_operands(call, affine ? 3 : 1, 3);
    const TensorView &y = call.outputs[0], &mean = call.outputs[1], &inverse = call.outputs[2];
    const NormRows rows(call.inputs[0], params.axis);
    check_statistics(mean, inverse, rows);
    check_affine(call.inputs + 1, call.input_count - 1, rows);
    check_dense(call.outputs, 3);
    if (rows.length == 0 || rows.count == 0) return;
    const DenseIn x(call.inputs[0], DenseOrder::row_major, queue);
    const DenseIn weight(affine ? call.inputs[1] : x.view(), DenseOrder::row_major, queue),
        bias(affine ? call.inputs[2] : x.view(), DenseOrder::row_major, queue);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const bool packs = rows_have_packs<T>(rows.length, {&x.view(), &weight.view(), &bias.view(), &y});
        const NormOperands of{source_of(x.view()),
                              source_of(weight.view()),
                              source_of(bias.view()),
                              y.data,
                              mean.data,
                              inverse.data,
                              y.dtype,
                              mean.dtype,
                              inverse.dtype,
                              packs,
                              affine};
        const int lanes = rows.lanes();
        const Grid grid = group_grid(rows.count, lanes, shared_bytes<T>(block_reduce_parts));
        const Live<double> epsilon = queue.live(params, &epsilon_of);
        // Sixteen doubles would not stay in registers.
        constexpr bool may_hold = std::is_same_v<T, float>;
        if (may_hold && rows.length <= int64_t{lanes} * row_pack * held_packs) {
            launch_batched<layer_norm_rows<T, may_hold>, unbounded>(grid, queue.stream(), of, rows.count,
                                                                    rows.length, lanes, epsilon);
        } else {
            launch_batched<layer_norm_rows<T, false>, unbounded>(grid, queue.stream(), of, rows.count,
                                                                 rows.length, lanes, epsilon);
        }
    });
}

// dy, x [..., L...], mean, 1 / standard deviation [rows] (, weight [L...]) -> dx (, dweight, dbias [L...])
// dx = (g - mean(g) - v mean(g v)) / standard deviation with g = dy weight, v = (x - mean) / standard
// deviation
void layer_norm_backward(const OpCall& call, const AxisParams& params, Queue& queue) {
    const bool affine = call.input_count == 5;
    expect_operands(call, affine ? 5 : 4, affine ? 3 : 1);
    const TensorView& dx = call.outputs[0];
    const NormRows rows(call.inputs[1], params.axis);
    check_statistics(call.inputs[2], call.inputs[3], rows);
    check_affine(call.inputs + 4, call.input_count - 4, rows);
    check_affine(call.outputs + 1, call.output_count - 1, rows);
    check_dense(call.outputs, call.output_count);
    if (rows.length == 0) return;
    const DenseIn dy(call.inputs[0], DenseOrder::row_major, queue),
        x(call.inputs[1], DenseOrder::row_major, queue), mean(call.inputs[2], DenseOrder::row_major, queue),
        inverse(call.inputs[3], DenseOrder::row_major, queue),
        weight(affine ? call.inputs[4] : x.view(), DenseOrder::row_major, queue);
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const bool packs =
            rows_have_packs<T>(rows.length, {&dy.view(), &x.view(), &dx, affine ? &weight.view() : nullptr});
        const GradientOperands of{source_of(dy.view()),
                                  source_of(x.view()),
                                  source_of(mean.view()),
                                  source_of(inverse.view()),
                                  affine ? source_of(weight.view()) : no_source,
                                  dx.data,
                                  dx.dtype,
                                  packs};
        const int lanes = rows.lanes();
        if (rows.count > 0)
            launch_batched<layer_norm_backward_rows<T>, unbounded>(
                group_grid(rows.count, lanes, shared_bytes<T>(block_reduce_parts)), queue.stream(), of,
                rows.count, rows.length, lanes);
        if (!affine) return;
        const ColumnPieces plan(rows.count, rows.length);
        const Scratch sums(queue, plan.bytes());
        launch_batched<layer_norm_products<T>, unbounded>(plan.grid(), queue.stream(), of, plan,
                                                          sums.as<ColumnSums>());
        const Grid grid{blocks_for(rows.length, column_members), column_threads};
        launch_batched<layer_norm_join, unbounded>(grid, queue.stream(), sums.as<ColumnSums>(), plan,
                                                   call.outputs[1].data, call.outputs[1].dtype,
                                                   call.outputs[2].data, call.outputs[2].dtype);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
