#include "cpu/conv/conv.h"

#include "cpu/cpu_backend.h"
#include "cpu/ops/dense_images.h"
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

}  // namespace

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W']
void conv2d(const OpCall& call, const ConvParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    if (element_count(y) == 0) return;
    const ConvPlan plan = plan_forward(params, x, w, y);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseInput<T> image(x);
        const DenseWeights<T> weights(w);
        const auto bias = read_bias<T>(call, plan.out_channels);
        const DenseOutput<T> out(y);
        conv_gather(plan, image.data(), weights.forward(plan.groups), bias ? bias->data() : nullptr,
                    out.data());
        out.finish();
    });
}

// dy [N, O, H', W'], w [O, C / groups, kH, kW], (bias [C]) -> dx [N, C, H, W]; with bias: the transposed
// convolution
void conv2d_backward_input(const OpCall& call, const ConvParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 2, 1);
    const TensorView &dy = call.inputs[0], &w = call.inputs[1], &dx = call.outputs[0];
    if (element_count(dx) == 0) return;
    const ConvPlan plan = plan_backward_input(params, dy, w, dx);
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseInput<T> image(dy);
        const DenseWeights<T> weights(w);
        const auto bias = read_bias<T>(call, plan.out_channels);
        const DenseOutput<T> out(dx);
        conv_gather(plan, image.data(), weights.transposed(plan.groups), bias ? bias->data() : nullptr,
                    out.data());
        out.finish();
    });
}

// x [N, C, H, W], dy [N, O, H', W'] -> dw [O, C / groups, kH, kW] (, dbias [O])
void conv2d_backward_weight(const OpCall& call, const ConvParams& params) {
    expect_operands(call, 2, call.output_count == 2 ? 2 : 1);
    const TensorView &x = call.inputs[0], &dy = call.inputs[1], &dw = call.outputs[0];
    const ConvPlan plan = plan_forward(params, x, dw, dy);
    with_float_compute(dw.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseInput<T> image(x), gradient(dy);
        TensorView dense = dw;
        dense.dtype = own_dtype<T>();
        set_row_major_strides(dense);
        WorkBuffer<T> weights(element_count(dw)), bias(plan.out_channels);
        dense.data = weights.data();
        conv_weight_gradient(plan, image.data(), gradient.data(), weights.data(),
                             call.output_count == 2 ? bias.data() : nullptr);
        copy_view(dense, dw);
        if (call.output_count == 2) {
            const TensorView& db = call.outputs[1];
            if (db.rank != 1 || db.shape[0] != plan.out_channels) fail("the bias has the wrong shape");
            store_block(db.dtype, db.data, db.strides[0], plan.out_channels, bias.data());
        }
    });
}

}  // namespace nativegrad::cpu
