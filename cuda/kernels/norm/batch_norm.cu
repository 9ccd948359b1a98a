#include "kernels/norm/channels.h"
#include "kernels/strided.h"

namespace nativegrad::cuda {

namespace {

// row_pack values of a vector of T from channel c on
template <class T>
__device__ __forceinline__ void load_factors(const T* factors, int64_t c, T (&values)[row_pack]) {
    load_row_pack(factors, dtype_of<T>, c, values);
}

// x [rows, C], factors [3, C] -> y [rows, C]. `packs`: C is a multiple of row_pack and all is aligned.
template <class T>
__device__ __forceinline__ void normalize_channels(const Source& x, const T* factors, void* y, DType dtype,
                                                   int64_t count, int64_t channels, bool relu, bool packs) {
    const int64_t stride = grid_thread_count() * row_pack;
    for (int64_t i = grid_thread_index() * row_pack; i < count; i += stride) {
        T values[row_pack], mean[row_pack], scale[row_pack], shift[row_pack];
        load_chunk(x, 0, 1, i, count, packs, T(0), values);
        if (packs) {
            const int64_t c = i % channels;
            load_factors(factors, c, mean);
            load_factors(factors, channels + c, scale);
            load_factors(factors, 2 * channels + c, shift);
        } else {
            for (int k = 0; k < row_pack; ++k) {
                const int64_t c = (i + k) % channels;
                mean[k] = factors[c];
                scale[k] = factors[channels + c];
                shift[k] = factors[2 * channels + c];
            }
        }
        for (int k = 0; k < row_pack; ++k) {
            const T value = (values[k] - mean[k]) * scale[k] + shift[k];
            values[k] = relu && value <= T(0) ? T(0) : value;
        }
        store_chunk(y, dtype, 0, 1, i, count, packs, values);
    }
}

// gradients [n, C], x [rows, C], mean [C] -> sums of g and g (x - mean) over the rows, in pieces
template <class T>
__device__ __forceinline__ void norm_products(const GradientFrom& from, const Source& x, const VectorIn& mean,
                                              const ColumnPieces& plan, ColumnSums* sums) {
    sum_columns<T>(plan, sums, [&](int64_t row, int64_t column, T& sum, T& product) {
        const int64_t at = row * plan.columns + column;
        int64_t x_at = at;
        if (from.index != nullptr)
            x_at = (from.windows.pixel(row) + from.windows.tap(from.index[at])) * plan.columns + column;
        const T g = from.masked<T>(at);
        sum += g;
        product += g * (load_as<T>(x, x_at) - mean.at<T>(column));
    });
}

// The gradient of element i of x [rows, C]
template <class T>
__device__ __forceinline__ T gradient_at(const GradientFrom& from, int64_t i, int64_t channels) {
    if (from.index == nullptr) return from.masked<T>(i);
    const int64_t pixel = i / channels;
    int k;
    const int64_t window = from.windows.window(pixel, k);
    if (window < 0) return T(0);
    const int64_t at = window * channels + (i - pixel * channels);
    return from.index[at] == k ? from.masked<T>(at) : T(0);
}

// The same of row_pack neighbours of one pixel.
template <class T>
__device__ __forceinline__ void gradient_pack(const GradientFrom& from, int64_t i, int64_t channels,
                                              T (&g)[row_pack]) {
    int64_t at = i;
    int k = 0;
    if (from.index != nullptr) {
        const int64_t pixel = i / channels, window = from.windows.window(pixel, k);
        if (window < 0) {
            for (int j = 0; j < row_pack; ++j) g[j] = T(0);
            return;
        }
        at = window * channels + (i - pixel * channels);
    }
    load_row_pack(from.dy.data, from.dy.dtype, at, g);
    if (from.y.data != nullptr) {
        T y[row_pack];
        load_row_pack(from.y.data, from.y.dtype, at, y);
        for (int j = 0; j < row_pack; ++j) g[j] = y[j] <= T(0) ? T(0) : g[j];
    }
    if (from.index == nullptr) return;
    const auto index = load_pack<row_pack>(from.index + at);
    for (int j = 0; j < row_pack; ++j) g[j] = index[j] == k ? g[j] : T(0);
}

// gradients, x [rows, C], factors [4, C] -> dx = (g - sum - (x - mean) product) scale
template <class T>
__device__ __forceinline__ void normalize_channels_backward(const GradientFrom& from, const Source& x,
                                                            const T* factors, void* dx, DType dtype,
                                                            int64_t count, int64_t channels, bool packs) {
    const int64_t stride = grid_thread_count() * row_pack;
    for (int64_t i = grid_thread_index() * row_pack; i < count; i += stride) {
        T values[row_pack], g[row_pack];
        load_chunk(x, 0, 1, i, count, packs, T(0), values);
        if (packs) {
            gradient_pack(from, i, channels, g);
            const int64_t c = i % channels;
            T mean[row_pack], factor[row_pack];
            load_factors(factors, c, mean);
            load_factors(factors, channels + c, factor);
            for (int k = 0; k < row_pack; ++k) g[k] -= factor[k];
            load_factors(factors, 2 * channels + c, factor);
            for (int k = 0; k < row_pack; ++k) g[k] -= (values[k] - mean[k]) * factor[k];
            load_factors(factors, 3 * channels + c, factor);
            for (int k = 0; k < row_pack; ++k) g[k] *= factor[k];
        } else {
            for (int k = 0; k < row_pack && i + k < count; ++k) {
                const int64_t c = (i + k) % channels;
                const T gradient = gradient_at<T>(from, i + k, channels) - factors[channels + c];
                g[k] = (gradient - (values[k] - factors[c]) * factors[2 * channels + c]) *
                       factors[3 * channels + c];
            }
        }
        store_chunk(dx, dtype, 0, 1, i, count, packs, g);
    }
}

void normalize(const OpCall& call, const BatchNormParams& params, bool relu, Queue& queue) {
    const NormCall norm(call, params, 1);
    const TensorView& y = call.outputs[0];
    check_same_shape(call.inputs[0], y);
    const DenseIn x(call.inputs[0], DenseOrder::channels_last, queue);
    const DenseOut out(y, DenseOrder::channels_last, queue);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const Scratch factors(queue, static_cast<size_t>(3 * norm.channels) * sizeof(T));
        batch_statistics(norm, x.view(), factors.as<T>(), queue);
        const int64_t count = norm.rows * norm.channels;
        if (count == 0) return;
        const bool packs = channels_have_packs<T>(norm.channels, source_of(x.view())) &&
                           channels_have_packs<T>(norm.channels, source_of(out.view()));
        launch_batched<normalize_channels<T>, unbounded>(elementwise_grid(count, row_pack), queue.stream(),
                                                         source_of(x.view()), factors.as<T>(), out.data(),
                                                         y.dtype, count, norm.channels, relu, packs);
        out.finish();
    });
}

// dy, x, (y if relu), mean, 1 / standard deviation (, weight) -> dx, dweight, dbias
void backward_op(const OpCall& call, const BatchNormParams& params, bool relu, Queue& queue) {
    const int32_t vectors = relu ? 3 : 2;
    expect_operands(call, vectors + 2 + (params.affine != 0 ? 1 : 0), 3);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dx = call.outputs[0];
    check_channels(x);
    check_same_shape(dy, x);
    check_same_shape(dx, x);
    if (relu) check_same_shape(call.inputs[2], x);
    const int64_t n = x.shape[1];
    check_vectors(call.inputs + vectors, call.input_count - vectors, n);
    check_vectors(call.outputs + 1, 2, n);
    const DenseIn gradient(dy, DenseOrder::channels_last, queue), input(x, DenseOrder::channels_last, queue),
        result(relu ? call.inputs[2] : input.view(), DenseOrder::channels_last, queue);
    const Source all{nullptr, DType::float64, 1};
    const GradientFrom from{source_of(gradient.view()), relu ? source_of(result.view()) : all, nullptr, {}};
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const int64_t rows = n == 0 ? 0 : element_count(x) / n;
        normalize_backward<T>(call, vectors, params, from, rows, input.view(), dx, queue);
    });
}

}  // namespace

template <class T>
void normalize_backward(const OpCall& call, int32_t vectors, const BatchNormParams& params,
                        const GradientFrom& from, int64_t gradients, const TensorView& x,
                        const TensorView& dx, Queue& queue) {
    const int64_t n = x.shape[1], rows = n == 0 ? 0 : element_count(x) / n, count = rows * n;
    if (n == 0) return;
    const ColumnPieces plan(gradients, n);
    const Scratch sums(queue, plan.bytes()), factors(queue, static_cast<size_t>(4 * n) * sizeof(T));
    launch_batched<norm_products<T>, unbounded>(plan.grid(), queue.stream(), from, source_of(x),
                                                VectorIn::of(call.inputs[vectors]), plan,
                                                sums.as<ColumnSums>());
    backward_factors(call, vectors, params, rows, sums.as<ColumnSums>(), plan, factors.as<T>(), queue);
    if (count == 0) return;
    const DenseOut out(dx, DenseOrder::channels_last, queue);
    const bool packs = channels_have_packs<T>(n, from.dy) && channels_have_packs<T>(n, from.y) &&
                       channels_have_packs<T>(n, source_of(x)) &&
                       channels_have_packs<T>(n, source_of(out.view())) && is_aligned(from.index, row_pack);
    launch_batched<normalize_channels_backward<T>, unbounded>(
        elementwise_grid(count, row_pack), queue.stream(), from, source_of(x), factors.as<T>(), out.data(),
        dx.dtype, count, n, packs);
    out.finish();
}

template void normalize_backward<float>(const OpCall&, int32_t, const BatchNormParams&, const GradientFrom&,
                                        int64_t, const TensorView&, const TensorView&, Queue&);
template void normalize_backward<double>(const OpCall&, int32_t, const BatchNormParams&, const GradientFrom&,
                                         int64_t, const TensorView&, const TensorView&, Queue&);

namespace ops {

// x [N, C, ...], (weight [C], bias [C] if affine), (running mean [C], running variance [C] if training is 0;
// mean [C], sum of squares around it [C] if it is 2)
// -> y [N, C, ...], mean [C], 1 / standard deviation [C] (, running mean, running variance: written in place)
void batch_norm(const OpCall& call, const BatchNormParams& params, Queue& queue) {
    normalize(call, params, false, queue);
}

// As batch_norm, y = max(0, normalised x)
void batch_norm_relu(const OpCall& call, const BatchNormParams& params, Queue& queue) {
    normalize(call, params, true, queue);
}

// dy [N, C, ...], x [N, C, ...], mean [C], 1 / standard deviation [C] (, weight [C] if affine)
// -> dx [N, C, ...], dweight [C], dbias [C]
// training: dx = w r (dy - mean(dy) - (x - m) r^2 mean(dy (x - m))); else dx = w r dy
void batch_norm_backward(const OpCall& call, const BatchNormParams& params, Queue& queue) {
    backward_op(call, params, false, queue);
}

// dy, x, y [N, C, ...], mean [C], 1 / standard deviation [C] (, weight [C] if affine)
// -> dx [N, C, ...], dweight [C], dbias [C]; as batch_norm_backward with dy = 0 where y <= 0
void batch_norm_relu_backward(const OpCall& call, const BatchNormParams& params, Queue& queue) {
    backward_op(call, params, true, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
