// Convolutions of 3 x 3 by Winograd's F(2x2, 3x3): 2.25 times fewer products than the direct way, for float.
//
// Rounding: sums of one ninth of the length, of numbers that the transforms make twice as large; measured,
// the error is 0.6 to 1.3 times the direct sum's (bench/NOTES.md). What is not finite makes the same outputs
// not finite as directly, though infinity may become NaN; in the gradient of the weights it reaches all nine
// taps of its pair of channels. Which outputs share a piece depends on their position in the image alone, so
// the bits depend neither on the batch nor on the number of threads.
#pragma once

#include "cpu/conv/conv.h"

namespace nativegrad::cpu {

// True where the pass is such a convolution with enough channels on both sides.
bool takes_winograd(const ConvPlan& plan);

// As conv_gather
void winograd_gather(const ConvPlan& plan, const float* image, const ConvWeights<float>& weights,
                     const float* bias, float* out, const BandDone<float>& done);

// As conv_weight_gradient
void winograd_weight_gradient(const ConvPlan& plan, const float* x, const float* dy, float* dw, float* dbias);

}  // namespace nativegrad::cpu
