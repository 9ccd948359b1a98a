#include "backend/ops.h"
#include "kernels/optimizer/tensor_list.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cuda {

namespace {

// (parameter, gradient, m, v[, largest v]); the formulas of cpu/kernels/optimizer/optimizer_loops.h
template <class T, int tensors>
struct AdamUpdate {
    T beta2, rest1, rest2, epsilon, step_size, root_scale, decay, shrink;

    explicit AdamUpdate(const AdamStep& s)
        : beta2(static_cast<T>(s.beta2)),
          rest1(static_cast<T>(1.0 - s.beta1)),
          rest2(static_cast<T>(1.0 - s.beta2)),
          epsilon(static_cast<T>(s.epsilon)),
          step_size(static_cast<T>(s.step_size)),
          root_scale(static_cast<T>(s.root_scale)),
          decay(static_cast<T>(s.decay)),
          shrink(static_cast<T>(s.shrink)) {}

    __device__ __forceinline__ void update(T (&x)[tensors]) const {
        const T weight = x[0] * shrink, gradient = multiply_add(decay, weight, x[1]);
        const T first = multiply_add(rest1, gradient - x[2], x[2]);
        const T second = multiply_add(rest2 * gradient, gradient, beta2 * x[3]);
        T bound = second;
        if constexpr (tensors == 5) {
            // NaN as on the CPU, whose two loops differ there.
            if constexpr (sizeof(T) == 4) {
                bound = x[4] > second ? x[4] : second;
            } else {
                bound = x[4] < second ? second : x[4];
            }
            x[4] = bound;
        }
        x[0] = weight - step_size * first / (sqrt(bound) * root_scale + epsilon);
        x[2] = first;
        x[3] = second;
    }
};

}  // namespace

namespace ops {

// groups of (parameter, gradient, m, v[, largest v]), updated in place
void adam_step(const OpCall& call, const AdamParams& params, Queue& queue) {
    const AdamStep step = adam_step_of(params);
    if (params.amsgrad != 0) return update_all<AdamUpdate, 5>(call, step, queue.stream());
    update_all<AdamUpdate, 4>(call, step, queue.stream());
}

}  // namespace ops

}  // namespace nativegrad::cuda
