#include "backend/ops.h"
#include "kernels/optimizer/tensor_list.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cuda {

namespace {

// x^n, n > 0; pow() takes a block that waits for it several times as long
__device__ __forceinline__ double power(double x, int64_t n) {
    double result = 1;
    for (; n > 0; n >>= 1, x *= x) {
        if (n & 1) result *= x;
    }
    return result;
}

struct AdamOptions {
    AdamStep step;
    double lr, count;
};

AdamOptions adam_options_of(const AdamParams& params) {
    return {adam_step_of(params), params.lr.values[0], params.step.values[0]};
}

// (parameter, gradient, m, v[, largest v]); the formulas of cpu/kernels/optimizer/optimizer_loops.h
template <class T, int tensors>
struct AdamUpdate {
    T beta2, rest1, rest2, epsilon, step_size, root_scale, decay, shrink;
    double betas[2], lr, count;

    explicit AdamUpdate(const AdamOptions& options) : AdamUpdate(options.step) {
        lr = options.lr;
        count = options.count;
    }
    explicit AdamUpdate(const AdamStep& s)
        : beta2(static_cast<T>(s.beta2)),
          rest1(static_cast<T>(1.0 - s.beta1)),
          rest2(static_cast<T>(1.0 - s.beta2)),
          epsilon(static_cast<T>(s.epsilon)),
          step_size(static_cast<T>(s.step_size)),
          root_scale(static_cast<T>(s.root_scale)),
          decay(static_cast<T>(s.decay)),
          shrink(static_cast<T>(s.shrink)),
          betas{s.beta1, s.beta2} {}

    // The bias corrections of a count without the steps left out; all lanes of the block, once.
    __device__ __forceinline__ void leave_out(int32_t skipped) {
        if (skipped == 0) return;
        SharedArena arena;
        double* corrected = arena.take<double>(2);
        if (thread_index() == 0) {
            const int64_t step = static_cast<int64_t>(count) - skipped;
            corrected[0] = lr / (1 - power(betas[0], step));
            corrected[1] = 1 / sqrt(1 - power(betas[1], step));
        }
        block_barrier();
        step_size = static_cast<T>(corrected[0]);
        root_scale = static_cast<T>(corrected[1]);
    }

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

// groups of (parameter, gradient, m, v[, largest v][, copy][, skipped]), updated in place
void adam_step(const OpCall& call, const AdamParams& params, Queue& queue) {
    if (params.amsgrad != 0) return update_all<AdamUpdate, 5>(call, params, &adam_options_of, queue);
    update_all<AdamUpdate, 4>(call, params, &adam_options_of, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
