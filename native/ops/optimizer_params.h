// What the kernels of the optimizers want to know, from the parameters of a call.
#pragma once

#include <cmath>

#include "ops/op_params.h"
#include "ops/optimizer_steps.h"

namespace nativegrad {

inline AdamStep adam_step_of(const AdamParams& params) {
    const double beta1 = params.beta1.values[0], beta2 = params.beta2.values[0], lr = params.lr.values[0];
    const double step = params.step.values[0], decay = params.weight_decay.values[0];
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

inline RmspropStep rmsprop_step_of(const RmspropParams& params) {
    return {params.lr.values[0], params.alpha.values[0], params.epsilon.values[0],
            params.weight_decay.values[0], params.momentum.values[0]};
}

}  // namespace nativegrad
