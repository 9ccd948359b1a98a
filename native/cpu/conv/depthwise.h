// Convolutions whose every channel is a group of its own, for float: vectors run along the channels.
#pragma once

#include "cpu/conv/conv.h"

namespace nativegrad::cpu {

inline bool is_depthwise(const ConvPlan& plan) {
    return plan.groups > 1 && plan.groups == plan.channels && plan.groups == plan.out_channels;
}

// As conv_gather
void depthwise_gather(const ConvPlan& plan, const float* image, const ConvWeights<float>& weights,
                      const float* bias, float* out, const BandDone<float>& done);

// As conv_weight_gradient
void depthwise_weight_gradient(const ConvPlan& plan, const float* x, const float* dy, float* dw,
                               float* dbias);

}  // namespace nativegrad::cpu
