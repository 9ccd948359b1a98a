// Batch normalisation, relu and max-pooling of 2 x 2 windows as one sweep: what lies between them is never
// written.
#include "kernels/norm/channels.h"
#include "kernels/strided.h"

namespace nativegrad::cuda {

namespace {

// The largest of max(0, normalised x) of one window and which of the four it is; NaN wins.
template <class T>
struct WindowBest {
    T best = -static_cast<T>(infinity());
    uint8_t place = 0;

    __device__ __forceinline__ void add(T x, T mean, T scale, T shift, int k) {
        T value = (x - mean) * scale + shift;
        if (value <= T(0)) value = T(0);
        if (!(value > best || value != value)) return;
        best = value;
        place = static_cast<uint8_t>(k);
    }
};

// x [N, H, W, C], factors [3, C] -> y, index [N, H / 2, W / 2, C]; a lane per window and channel
template <class T>
__device__ __forceinline__ void normalize_windows(const Source& x, const T* factors, const Windows& windows,
                                                  void* y, DType dtype, uint8_t* index, int64_t count,
                                                  int64_t channels) {
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const int64_t window = i / channels, c = i - window * channels;
        const int64_t base = windows.pixel(window) * channels + c;
        const T mean = factors[c], scale = factors[channels + c], shift = factors[2 * channels + c];
        T taps[4];
        for (int k = 0; k < 4; ++k) taps[k] = load_as<T>(x, base + windows.tap(k) * channels);
        WindowBest<T> found;
        for (int k = 0; k < 4; ++k) found.add(taps[k], mean, scale, shift, k);
        store_as(y, dtype, i, found.best);
        index[i] = found.place;
    }
}

// The same with row_pack channels per lane; C is a multiple of it, and all is aligned
template <class T>
__device__ __forceinline__ void normalize_window_packs(const Source& x, const T* factors,
                                                       const Windows& windows, void* y, DType dtype,
                                                       uint8_t* index, int64_t count, int64_t channels) {
    const int64_t stride = grid_thread_count() * row_pack;
    for (int64_t i = grid_thread_index() * row_pack; i < count; i += stride) {
        const int64_t window = i / channels, c = i - window * channels;
        const int64_t base = windows.pixel(window) * channels + c;
        T mean[row_pack], scale[row_pack], shift[row_pack], taps[row_pack];
        load_row_pack(factors, dtype_of<T>, c, mean);
        load_row_pack(factors, dtype_of<T>, channels + c, scale);
        load_row_pack(factors, dtype_of<T>, 2 * channels + c, shift);
        WindowBest<T> found[row_pack];
        for (int k = 0; k < 4; ++k) {
            load_row_pack(x.data, x.dtype, base + windows.tap(k) * channels, taps);
            for (int j = 0; j < row_pack; ++j) found[j].add(taps[j], mean[j], scale[j], shift[j], k);
        }
        Pack<uint8_t, row_pack> places;
        for (int j = 0; j < row_pack; ++j) {
            taps[j] = found[j].best;
            places[j] = found[j].place;
        }
        store_row_pack(y, dtype, i, taps);
        store_pack(index + i, places);
    }
}

Windows windows_of(const TensorView& x, const TensorView& y) {
    if (x.rank != 4 || y.rank != 4 || y.shape[0] != x.shape[0] || y.shape[1] != x.shape[1] ||
        y.shape[2] != x.shape[2] / 2 || y.shape[3] != x.shape[3] / 2)
        fail("expects [N, C, H, W] and pooled [N, C, H / 2, W / 2]");
    return {x.shape[2], x.shape[3], y.shape[2], y.shape[3]};
}

void check_index(const TensorView& index, const TensorView& y) {
    const bool same = index.rank == 4 && index.dtype == DType::uint8 && index.shape[0] == y.shape[0] &&
                      index.shape[1] == y.shape[1] && index.shape[2] == y.shape[2] &&
                      index.shape[3] == y.shape[3];
    if (!same || !same_strides(index, dense_like(index, DenseOrder::channels_last)))
        fail("the index must be uint8, channels last, of the pooled shape");
}

}  // namespace

namespace ops {

// x [N, C, H, W], (weight [C], bias [C] if affine), (two statistics [C] each, as batch_norm)
// -> y [N, C, H / 2, W / 2], index [N, C, H / 2, W / 2] uint8, mean [C], 1 / standard deviation [C] (,
// running mean, running variance: written in place); as max_pool2d(max(0, batch_norm(x))) of 2 x 2 windows
void batch_norm_relu_pool(const OpCall& call, const BatchNormParams& params, Queue& queue) {
    const NormCall norm(call, params, 2);
    const TensorView &y = call.outputs[0], &index = call.outputs[1];
    const Windows windows = windows_of(call.inputs[0], y);
    check_index(index, y);
    const DenseIn x(call.inputs[0], DenseOrder::channels_last, queue);
    const DenseOut out(y, DenseOrder::channels_last, queue);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const Scratch factors(queue, static_cast<size_t>(3 * norm.channels) * sizeof(T));
        batch_statistics(norm, x.view(), factors.as<T>(), queue);
        const int64_t count = element_count(y);
        if (count == 0) return;
        auto* const places = static_cast<uint8_t*>(index.data);
        const bool packs = channels_have_packs<T>(norm.channels, source_of(x.view())) &&
                           channels_have_packs<T>(norm.channels, source_of(out.view())) &&
                           is_aligned(places, row_pack);
        if (packs) {
            launch_batched<normalize_window_packs<T>, unbounded>(
                elementwise_grid(count, row_pack), queue.stream(), source_of(x.view()), factors.as<T>(),
                windows, out.data(), y.dtype, places, count, norm.channels);
        } else {
            launch_batched<normalize_windows<T>, unbounded>(
                elementwise_grid(count), queue.stream(), source_of(x.view()), factors.as<T>(), windows,
                out.data(), y.dtype, places, count, norm.channels);
        }
        out.finish();
    });
}

// dy, y, index [N, C, H / 2, W / 2], x [N, C, H, W], mean [C], 1 / standard deviation [C] (, weight [C] if
// affine) -> dx [N, C, H, W], dweight [C], dbias [C]
// as batch_norm_backward of what max_pool2d_backward and relu's backward make of dy
void batch_norm_relu_pool_backward(const OpCall& call, const BatchNormParams& params, Queue& queue) {
    const bool affine = params.affine != 0;
    expect_operands(call, affine ? 7 : 6, 3);
    const TensorView &dy = call.inputs[0], &y = call.inputs[1], &index = call.inputs[2], &x = call.inputs[3],
                     &dx = call.outputs[0];
    const Windows windows = windows_of(x, y);
    check_index(index, y);
    check_same_shape(dy, y);
    check_same_shape(dx, x);
    const int64_t n = x.shape[1];
    check_vectors(call.inputs + 4, call.input_count - 4, n);
    check_vectors(call.outputs + 1, 2, n);
    const DenseIn gradient(dy, DenseOrder::channels_last, queue), result(y, DenseOrder::channels_last, queue),
        input(x, DenseOrder::channels_last, queue);
    const GradientFrom from{source_of(gradient.view()), source_of(result.view()),
                            static_cast<const uint8_t*>(index.data), windows};
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const int64_t gradients = n == 0 ? 0 : element_count(y) / n;
        normalize_backward<T>(call, 4, params, from, gradients, input.view(), dx, queue);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
