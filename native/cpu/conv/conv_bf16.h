// The two shapes of work in a convolution of bfloat16, for processors that multiply it: kernels().conv_bf16.
// Products are exact, sums are float32. As for float32, the bits do not depend on the number of threads.
#pragma once

#include "cpu/conv/conv.h"
#include "tensor/half.h"

namespace nativegrad::cpu {

// image [N, H, W, C], bias [O] or null -> out [N, H', W', O], of float or BFloat16 (rounded once): forward
// and the gradient of the input; `done` only for plans of one phase
template <class Out>
void conv_gather_bf16(const ConvPlan& plan, const BFloat16* image, const ConvWeights<BFloat16>& weights,
                      const float* bias, Out* out, const BandDone<Out>& done = nullptr);

// x [N, H, W, C], dy [N, H', W', O], a forward plan -> dw [O, C / groups, kH, kW]; dbias [O] where not null
void conv_weight_gradient_bf16(const ConvPlan& plan, const BFloat16* x, const BFloat16* dy, float* dw,
                               float* dbias);

}  // namespace nativegrad::cpu
