#include "cpu/conv/conv.h"

#include <algorithm>
#include <type_traits>

#include "cpu/conv/conv_bf16.h"
#include "cpu/conv/depthwise.h"
#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/channel_norm.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/linear_parts.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

namespace {

// The weights in the compute type, with the strides of the tensor or of a converted copy.
template <class T>
class DenseWeights {
  public:
    explicit DenseWeights(const TensorView& w) : view_(w) {
        if (w.dtype == own_dtype<T>()) return;
        buffer_.emplace(element_count(w));
        view_.data = buffer_->data();
        view_.dtype = own_dtype<T>();
        set_row_major_strides(view_);
        copy_view(w, view_);
    }

    // For the convolution that reads C and writes O, and for the one that reads O and writes C.
    ConvWeights<T> forward(int64_t groups) const {
        return {static_cast<const T*>(view_.data),
                view_.shape[0] / groups * view_.strides[0],
                view_.strides[1],
                view_.strides[0],
                view_.strides[2],
                view_.strides[3]};
    }
    ConvWeights<T> transposed(int64_t groups) const {
        ConvWeights<T> w = forward(groups);
        std::swap(w.in, w.out);
        return w;
    }

  private:
    TensorView view_;
    std::optional<WorkBuffer<T>> buffer_;
};

template <class T>
std::optional<DenseVector<T>> read_bias(const OpCall& call, int64_t channels) {
    if (call.input_count < 3) return std::nullopt;
    return DenseVector<T>(&call.inputs[2], channels, T(0));
}

// True where both factors are bfloat16 and the processor multiplies that in pairs of channels.
bool takes_bf16(const ConvPlan& plan, const TensorView& a, const TensorView& b, const TensorView& out) {
    return !is_depthwise(plan) && kernels().conv_bf16.nr != 0 && a.dtype == DType::bfloat16 &&
           b.dtype == DType::bfloat16 && (out.dtype == DType::bfloat16 || out.dtype == DType::float32);
}

// Calls body(Out{}) with the element type of a float32 or bfloat16 output.
template <class Body>
void with_bf16_output(DType dtype, const Body& body) {
    if (dtype == DType::bfloat16) return body(BFloat16{});
    body(float{});
}

// Rows of a gradient with several phases are made by all of them: `done` comes when everything is there.
template <class T>
BandDone<T> one_phase_only(const ConvPlan& plan, const BandDone<T>& done) {
    return plan.phases.size() == 1 ? done : nullptr;
}
template <class T>
void finish_phases(const ConvPlan& plan, T* out, const BandDone<T>& done) {
    if (!done || plan.phases.size() == 1) return;
    const int64_t image = plan.out_height * plan.out_width * plan.out_channels;
    parallel_for(plan.images, [&](int64_t i) { done(i, 0, plan.out_height, out + i * image); });
}

// image, w(, bias) -> out for forward, or the gradient of the input
template <class Out>
void gather_bf16(const OpCall& call, const ConvPlan& plan, bool transposed, const BandDone<Out>& done,
                 bool has_bias = true) {
    const DenseInput<BFloat16> image(call.inputs[0]);
    const DenseWeights<BFloat16> weights(call.inputs[1]);
    const auto bias = has_bias ? read_bias<float>(call, plan.out_channels) : std::nullopt;
    const DenseOutput<Out> out(call.outputs[0]);
    conv_gather_bf16<Out>(plan, image.data(),
                          transposed ? weights.transposed(plan.groups) : weights.forward(plan.groups),
                          bias ? bias->data() : nullptr, out.data(), one_phase_only(plan, done));
    finish_phases(plan, out.data(), done);
    out.finish();
}

template <class T>
void forward(const OpCall& call, const ConvPlan& plan, const BandDone<T>& done) {
    const DenseInput<T> image(call.inputs[0]);
    const DenseWeights<T> weights(call.inputs[1]);
    const auto bias = read_bias<T>(call, plan.out_channels);
    const DenseOutput<T> out(call.outputs[0]);
    conv_gather(plan, image.data(), weights.forward(plan.groups), bias ? bias->data() : nullptr, out.data(),
                done);
    out.finish();
}

// dy, w -> dx
template <class T>
void backward_input(const OpCall& call, const ConvPlan& plan, const T* bias, const BandDone<T>& done) {
    const DenseInput<T> image(call.inputs[0]);
    const DenseWeights<T> weights(call.inputs[1]);
    const DenseOutput<T> out(call.outputs[0]);
    conv_gather(plan, image.data(), weights.transposed(plan.groups), bias, out.data(),
                one_phase_only(plan, done));
    finish_phases(plan, out.data(), done);
    out.finish();
}

// Mean and squares of each chunk of pixels, taken while the pixels lie in the cache.
template <class T>
class BandMoments {
  public:
    explicit BandMoments(const ConvPlan& plan)
        : plan_(plan),
          n_(plan.out_channels),
          size_(std::max<int64_t>(4096 / std::max<int64_t>(n_, 1), 8)),
          per_band_((plan.band * plan.out_width + size_ - 1) / size_),
          chunks_(plan.images * plan.bands() * per_band_),
          partial_(2 * chunks_ * n_) {}

    void take(int64_t image, int64_t first_row, int64_t rows, const T* made) {
        const int64_t pixels = rows * plan_.out_width;
        int64_t chunk = (image * plan_.bands() + first_row / plan_.band) * per_band_;
        for (int64_t at = 0; at < pixels; at += size_, ++chunk) {
            T* to = partial_.data() + 2 * chunk * n_;
            SweepsOf<T>::moments(made + at * n_, std::min(size_, pixels - at), n_, to, to + n_);
        }
    }

    Moments join() const {
        return join_moments(partial_.data(), chunks_, n_, [&](int64_t chunk) { return length(chunk); });
    }

  private:
    // The last band of an image may be shorter, so that its last chunks are empty.
    int64_t length(int64_t chunk) const {
        const int64_t first_row = chunk / per_band_ % plan_.bands() * plan_.band;
        const int64_t rows = std::min(plan_.band, plan_.out_height - first_row);
        return std::clamp<int64_t>(rows * plan_.out_width - chunk % per_band_ * size_, 0, size_);
    }

    const ConvPlan& plan_;
    int64_t n_, size_, per_band_, chunks_;
    WorkBuffer<T> partial_;
};

// The statistics are those of the rounded values, which a batch norm after it reads.
void forward_bf16(const OpCall& call, const ConvPlan& plan, BandMoments<float>& moments) {
    with_bf16_output(call.outputs[0].dtype, [&](auto type) {
        using Out = decltype(type);
        gather_bf16<Out>(call, plan, false,
                         [&](int64_t image, int64_t first_row, int64_t rows, const Out* made) {
                             if constexpr (std::is_same_v<Out, float>) {
                                 moments.take(image, first_row, rows, made);
                             } else {
                                 const int64_t count = rows * plan.out_width * plan.out_channels;
                                 WorkBuffer<float> wide(count);
                                 kernels().convert.bf16_to_f32(made, wide.data(), count);
                                 moments.take(image, first_row, rows, wide.data());
                             }
                         });
    });
}

}  // namespace

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W']
void conv2d(const OpCall& call, const ConvParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    if (element_count(y) == 0) return;
    const ConvPlan plan = plan_forward(params, x, w, y);
    if (takes_bf16(plan, x, w, y)) {
        return with_bf16_output(y.dtype,
                                [&](auto type) { gather_bf16<decltype(type)>(call, plan, false, nullptr); });
    }
    with_float_compute(y.dtype, [&](auto type) { forward<decltype(type)>(call, plan, nullptr); });
}

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W'], mean [O] of y over all pixels,
// sum of squares around it [O]
void conv2d_statistics(const OpCall& call, const ConvParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 3);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    const ConvPlan plan = plan_forward(params, x, w, y);
    check_vectors(call.outputs + 1, 2, plan.out_channels);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        BandMoments<T> moments(plan);
        if (element_count(y) > 0 && takes_bf16(plan, x, w, y)) {
            if constexpr (std::is_same_v<T, float>) forward_bf16(call, plan, moments);
        } else if (element_count(y) > 0) {
            forward<T>(call, plan, [&](int64_t image, int64_t first_row, int64_t rows, const T* made) {
                moments.take(image, first_row, rows, made);
            });
        }
        const Moments total = moments.join();
        for (int64_t o = 0; o < plan.out_channels; ++o) {
            write_one(call.outputs[1], o, total.mean[static_cast<size_t>(o)]);
            write_one(call.outputs[2], o, total.squares[static_cast<size_t>(o)]);
        }
    });
}

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W'] = relu of the convolution
void conv2d_relu(const OpCall& call, const ConvParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    if (element_count(y) == 0) return;
    const ConvPlan plan = plan_forward(params, x, w, y);
    with_one_float(call, [&](auto type) {
        using S = decltype(type);
        using T = ComputeOf<S>;
        const auto relu = elementwise_of(T{}).unary[static_cast<int32_t>(UnaryFunction::relu)];
        const auto apply = [&](int64_t, int64_t, int64_t rows, auto* made) {
            apply_unary(relu, made, made, rows * plan.out_width * plan.out_channels, 0, 0);
        };
        if constexpr (std::is_same_v<S, BFloat16>) {
            if (takes_bf16(plan, x, w, y)) return gather_bf16<S>(call, plan, false, apply);
        }
        forward<T>(call, plan, apply);
    });
}

// dy [N, O, H', W'], w [O, C / groups, kH, kW], (bias [C]) -> dx [N, C, H, W]; with bias: the transposed
// convolution
void conv2d_backward_input(const OpCall& call, const ConvParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &dy = call.inputs[0], &w = call.inputs[1], &dx = call.outputs[0];
    if (element_count(dx) == 0) return;
    const ConvPlan plan = plan_backward_input(params, dy, w, dx);
    if (takes_bf16(plan, dy, w, dx)) {
        return with_bf16_output(dx.dtype,
                                [&](auto type) { gather_bf16<decltype(type)>(call, plan, true, nullptr); });
    }
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const auto bias = read_bias<T>(call, plan.out_channels);
        backward_input<T>(call, plan, bias ? bias->data() : nullptr, nullptr);
    });
}

// dy [N, O, H', W'], w [O, C / groups, kH, kW], y [N, C, H, W] of relu -> dx [N, C, H, W]: the gradient of
// the input where y is positive, else 0
void conv2d_backward_input_relu(const OpCall& call, const ConvParams& params) {
    expect_operands(call, 3, 1);
    const TensorView &dy = call.inputs[0], &w = call.inputs[1], &y = call.inputs[2], &dx = call.outputs[0];
    if (y.rank != 4 || dx.rank != 4 || !std::equal(y.shape, y.shape + 4, dx.shape))
        fail("needs y of relu as large as dx [N, C, H, W]");
    if (element_count(dx) == 0) return;
    const ConvPlan plan = plan_backward_input(params, dy, w, dx);
    with_one_float(call, [&](auto type) {
        using S = decltype(type);
        using T = ComputeOf<S>;
        const auto mask = elementwise_of(T{}).binary[static_cast<int32_t>(BinaryFunction::relu_backward)];
        const int64_t line = plan.out_width * plan.out_channels;
        const auto run = [&](auto element, const auto& gather) {
            using E = decltype(element);
            const DenseInput<E> kept(y);
            gather([&](int64_t image, int64_t first_row, int64_t rows, E* made) {
                const int64_t at = (image * plan.out_height + first_row) * line;
                apply_binary(mask, made, kept.data() + at, rows * line, 0, 0);
            });
        };
        if constexpr (std::is_same_v<S, BFloat16>) {
            if (takes_bf16(plan, dy, w, dx)) {
                return run(S{},
                           [&](const BandDone<S>& done) { gather_bf16<S>(call, plan, true, done, false); });
            }
        }
        run(T{}, [&](const BandDone<T>& done) { backward_input<T>(call, plan, nullptr, done); });
    });
}

// x [N, C, H, W], dy [N, O, H', W'] -> dw [O, C / groups, kH, kW] (, dbias [O])
void conv2d_backward_weight(const OpCall& call, const ConvParams& params) {
    expect_operands(call, 2, call.output_count == 2 ? 2 : 1);
    const TensorView &x = call.inputs[0], &dy = call.inputs[1], &dw = call.outputs[0];
    const ConvPlan plan = plan_forward(params, x, dw, dy);
    with_float_compute(dw.dtype, [&](auto type) {
        using T = decltype(type);
        TensorView dense = dw;
        dense.dtype = own_dtype<T>();
        set_row_major_strides(dense);
        WorkBuffer<T> weights(element_count(dw)), bias(plan.out_channels);
        dense.data = weights.data();
        T* bias_data = call.output_count == 2 ? bias.data() : nullptr;
        if (takes_bf16(plan, x, dy, dw)) {
            const DenseInput<BFloat16> image(x), gradient(dy);
            if constexpr (std::is_same_v<T, float>)
                conv_weight_gradient_bf16(plan, image.data(), gradient.data(), weights.data(), bias_data);
        } else {
            const DenseInput<T> image(x), gradient(dy);
            conv_weight_gradient(plan, image.data(), gradient.data(), weights.data(), bias_data);
        }
        copy_view(dense, dw);
        if (call.output_count == 2) {
            const TensorView& db = call.outputs[1];
            if (db.rank != 1 || db.shape[0] != plan.out_channels) fail("the bias has the wrong shape");
            store_block(db.dtype, db.data, db.strides[0], plan.out_channels, bias.data());
        }
    });
}

}  // namespace nativegrad::cpu
