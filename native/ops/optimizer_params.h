// What the kernels of the optimizers want to know, from the parameters of a call.
#pragma once

#include <cmath>

#include "ops/op_params.h"
#include "ops/optimizer_steps.h"

namespace nativegrad {

// skipped: steps that the count holds and that a loss scaler left out
inline AdamStep adam_step_of(const AdamParams& params, int32_t skipped = 0) {
    const double beta1 = params.beta1.values[0], beta2 = params.beta2.values[0], lr = params.lr.values[0];
    const double step = params.step.values[0] - skipped, decay = params.weight_decay.values[0];
    const bool decoupled = params.decoupled != 0;
    return {beta1,
            beta2,
            params.epsilon.values[0],
            lr / (1 - std::pow(beta1, step)),
            1 / std::sqrt(1 - std::pow(beta2, step)),
            decoupled ? 0 : decay,
            decoupled ? 1 - lr * decay : 1};
}

inline SgdStep sgd_step_of(const SgdParams& params) {
    return {params.lr.values[0],           params.momentum.values[0], params.dampening.values[0],
            params.weight_decay.values[0], params.nesterov,           params.first.values[0] != 0 ? 1 : 0};
}

// Under a loss scaler `first` counts the steps since the velocity was made, with those left out.
inline SgdStep sgd_step_of(const SgdParams& params, int32_t skipped) {
    SgdStep step = sgd_step_of(params);
    step.first = params.first.values[0] - skipped == 1 ? 1 : 0;
    return step;
}

inline RmspropStep rmsprop_step_of(const RmspropParams& params) {
    return {params.lr.values[0], params.alpha.values[0], params.epsilon.values[0],
            params.weight_decay.values[0], params.momentum.values[0]};
}

}  // namespace nativegrad
