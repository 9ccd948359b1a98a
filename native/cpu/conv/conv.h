// The two shapes of work in a convolution, on dense channels-last images of float or double. Work is cut by
// shape alone and every sum has a fixed order, so the bits do not depend on the number of threads.
#pragma once

#include <functional>

#include "cpu/conv/conv_plan.h"

namespace nativegrad::cpu {

// w(group, in channel, out channel, kernel row, kernel column) by strides in elements
template <class T>
struct ConvWeights {
    const T* data;
    int64_t group, in, out, row, column;
};

// Called by the thread that has just made these rows of out, of one image and all channels.
template <class T>
using BandDone = std::function<void(int64_t image, int64_t first_row, int64_t rows, T* made)>;

// image [N, H, W, C], bias [O] or null -> out [N, H', W', O]: forward and the gradient of the input;
// `done` only for plans of one phase
template <class T>
void conv_gather(const ConvPlan& plan, const T* image, const ConvWeights<T>& weights, const T* bias, T* out,
                 const BandDone<T>& done = nullptr);

// x [N, H, W, C], dy [N, H', W', O], a forward plan -> dw [O, C / groups, kH, kW]; dbias [O] where not null
template <class T>
void conv_weight_gradient(const ConvPlan& plan, const T* x, const T* dy, T* dw, T* dbias);

}  // namespace nativegrad::cpu
