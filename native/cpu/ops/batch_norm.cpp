#include "cpu/cpu_backend.h"
#include "cpu/ops/channel_norm.h"

namespace nativegrad::cpu {

namespace {

void normalize(const OpCall& call, const BatchNormParams& params, bool relu) {
    const NormCall norm(call, params, 1);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    check_same_shape(x, y);
    const Chunks chunks(x);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseReader<T> input(x);
        const DenseWriter<T> output(y);
        const ChannelFactors<T> factors = take_statistics(norm, input, chunks);
        chunks.each([&](int64_t chunk) {
            const int64_t at = chunks.offset(chunk), count = chunks.length(chunk) * chunks.channels;
            Stretch<T> x_room(input.room(count)), y_room(output.room(count));
            T* made = output.place(at, y_room);
            SweepsOf<T>::normalize(input.read(at, count, x_room), factors.mean.data(), factors.scale.data(),
                                   factors.shift.data(), chunks.length(chunk), chunks.channels, relu, made);
            output.write(at, count, made);
        });
        output.finish();
    });
}

// dy, x, (y if relu), mean, 1 / standard deviation (, weight) -> dx, dweight, dbias
void normalize_backward(const OpCall& call, const BatchNormParams& params, bool relu) {
    const int32_t vectors = relu ? 3 : 2;
    expect_operands(call, vectors + 2 + (params.affine != 0 ? 1 : 0), 3);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dx = call.outputs[0];
    check_channels(x);
    check_same_shape(dy, x);
    check_same_shape(dx, x);
    if (relu) check_same_shape(call.inputs[2], x);
    const Chunks chunks(x);
    const int64_t n = chunks.channels;
    check_vectors(call.inputs + vectors, call.input_count - vectors, n);
    check_vectors(call.outputs + 1, 2, n);
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseReader<T> gradient(dy), input(x);
        std::optional<DenseReader<T>> result;
        if (relu) result.emplace(call.inputs[2]);
        const DenseWriter<T> output(dx);
        const DenseVector<T> mean(call.inputs + vectors, n, T(0)),
            inverse(call.inputs + vectors + 1, n, T(1)),
            weight(params.affine != 0 ? call.inputs + vectors + 2 : nullptr, n, T(1));
        WorkBuffer<T> partial(2 * chunks.count * n);
        // body(dy, y or null, x) of a chunk
        const auto with_chunk = [&](int64_t chunk, const auto& body) {
            const int64_t at = chunks.offset(chunk), count = chunks.length(chunk) * n;
            Stretch<T> dy_room(gradient.room(count)), y_room(relu ? result->room(count) : 0),
                x_room(input.room(count));
            body(gradient.read(at, count, dy_room), relu ? result->read(at, count, y_room) : nullptr,
                 input.read(at, count, x_room));
        };
        chunks.each([&](int64_t chunk) {
            T* to = partial.data() + 2 * chunk * n;
            with_chunk(chunk, [&](const T* g, const T* made, const T* from) {
                SweepsOf<T>::products(g, made, from, mean.data(), chunks.length(chunk), n, to, to + n);
            });
        });
        const BackwardFactors<T> factors(call, params.training != 0, partial.data(), chunks.count,
                                         chunks.rows, inverse, weight, n);
        chunks.each([&](int64_t chunk) {
            const int64_t at = chunks.offset(chunk), count = chunks.length(chunk) * n;
            Stretch<T> room(output.room(count));
            T* to = output.place(at, room);
            with_chunk(chunk, [&](const T* g, const T* made, const T* from) {
                SweepsOf<T>::normalize_backward(g, made, from, mean.data(), factors.sum.data(),
                                                factors.product.data(), factors.scale.data(),
                                                chunks.length(chunk), n, to);
            });
            output.write(at, count, to);
        });
        output.finish();
    });
}

}  // namespace

// x [N, C, ...], (weight [C], bias [C] if affine), (running mean [C], running variance [C] if training is 0;
// mean [C], sum of squares around it [C] if it is 2)
// -> y [N, C, ...], mean [C], 1 / standard deviation [C] (, running mean, running variance: written in place)
void batch_norm(const OpCall& call, const BatchNormParams& params) { normalize(call, params, false); }

// As batch_norm, y = max(0, normalised x)
void batch_norm_relu(const OpCall& call, const BatchNormParams& params) { normalize(call, params, true); }

// dy [N, C, ...], x [N, C, ...], mean [C], 1 / standard deviation [C] (, weight [C] if affine)
// -> dx [N, C, ...], dweight [C], dbias [C]
// training: dx = w r (dy - mean(dy) - (x - m) r^2 mean(dy (x - m))); else dx = w r dy
void batch_norm_backward(const OpCall& call, const BatchNormParams& params) {
    normalize_backward(call, params, false);
}

// dy, x, y [N, C, ...], mean [C], 1 / standard deviation [C] (, weight [C] if affine)
// -> dx [N, C, ...], dweight [C], dbias [C]; as batch_norm_backward with dy = 0 where y <= 0
void batch_norm_relu_backward(const OpCall& call, const BatchNormParams& params) {
    normalize_backward(call, params, true);
}

}  // namespace nativegrad::cpu
