#include "backend/ops.h"
#include "kernels/optimizer/tensor_list.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cuda {

namespace {

struct RmspropOptions {
    RmspropStep step;
    bool centered;
};

RmspropOptions rmsprop_options_of(const RmspropParams& params) {
    return {rmsprop_step_of(params), params.centered != 0};
}

// (parameter, gradient, mean square[, mean][, velocity])
template <class T, int tensors>
struct RmspropUpdate {
    T lr, alpha, rest, epsilon, decay, momentum;
    bool centered;  // of four tensors, the last is the mean, else the velocity

    explicit RmspropUpdate(const RmspropOptions& options)
        : lr(static_cast<T>(options.step.lr)),
          alpha(static_cast<T>(options.step.alpha)),
          rest(static_cast<T>(1.0 - options.step.alpha)),
          epsilon(static_cast<T>(options.step.epsilon)),
          decay(static_cast<T>(options.step.decay)),
          momentum(static_cast<T>(options.step.momentum)),
          centered(options.centered) {}

    __device__ __forceinline__ void leave_out(int32_t) {}

    __device__ __forceinline__ T without_mean(T variance, T gradient, T& mean) const {
        mean = multiply_add(rest, gradient - mean, mean);
        const T left = variance - mean * mean;
        // Rounding may bring the difference below zero.
        return T(0) > left ? T(0) : left;
    }
    __device__ __forceinline__ T with_momentum(T direction, T& velocity) const {
        return velocity = multiply_add(momentum, velocity, direction);
    }

    __device__ __forceinline__ void update(T (&x)[tensors]) const {
        const T gradient = multiply_add(decay, x[0], x[1]);
        T variance = multiply_add(rest * gradient, gradient, alpha * x[2]);
        x[2] = variance;
        if constexpr (tensors > 3) {
            if (centered) variance = without_mean(variance, gradient, x[3]);
        }
        T direction = gradient / (sqrt(variance) + epsilon);
        if constexpr (tensors > 3) {
            if (tensors == 5 || !centered) direction = with_momentum(direction, x[tensors - 1]);
        }
        x[0] = multiply_add(-lr, direction, x[0]);
    }
};

}  // namespace

namespace ops {

// groups of (parameter, gradient, mean square[, mean][, velocity][, copy][, skipped]), updated in place
void rmsprop_step(const OpCall& call, const RmspropParams& params, Queue& queue) {
    const int32_t state = 1 + (params.centered != 0 ? 1 : 0) + (params.has_velocity != 0 ? 1 : 0);
    if (state == 1) return update_all<RmspropUpdate, 3>(call, params, &rmsprop_options_of, queue);
    if (state == 2) return update_all<RmspropUpdate, 4>(call, params, &rmsprop_options_of, queue);
    update_all<RmspropUpdate, 5>(call, params, &rmsprop_options_of, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
