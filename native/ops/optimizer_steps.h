// The numbers of one step of an optimizer, as its kernels take them. No functions: kernels of single
// instruction sets include it. Gradients count times gradient_scale, 1 where no loss scaler is in use.
#pragma once

#include <cstdint>

namespace nativegrad {

// Kingma and Ba, "Adam" (2015), in PyTorch's arrangement; the bias corrections are folded into step_size and
// root_scale: p -= step_size * m / (sqrt(v) * root_scale + epsilon)
struct AdamStep {
    double beta1, beta2, epsilon, step_size, root_scale;
    double decay;   // L2 term added to the gradient
    double shrink;  // factor on the parameter (decoupled decay), 1 = none
    double gradient_scale = 1;
};

// v = momentum * v + (1 - dampening) * g, p -= lr * (nesterov ? g + momentum * v : v)
struct SgdStep {
    double lr, momentum, dampening, decay;
    int32_t nesterov, first;
    double gradient_scale = 1;
};

// Tieleman and Hinton, RMSProp (2012), as in PyTorch: s = alpha s + (1 - alpha) g^2, a = alpha a + (1 -
// alpha) g, u = momentum u + g / (sqrt(s - a^2) + epsilon), p -= lr u
struct RmspropStep {
    double lr, alpha, epsilon, decay, momentum;
    double gradient_scale = 1;
};

}  // namespace nativegrad
