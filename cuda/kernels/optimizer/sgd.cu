#include "backend/ops.h"
#include "kernels/optimizer/tensor_list.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cuda {

namespace {

struct SgdOptions {
    SgdStep step;
    double age;
};

SgdOptions sgd_options_of(const SgdParams& params) { return {sgd_step_of(params), params.first.values[0]}; }

// (parameter, gradient[, velocity])
template <class T, int tensors>
struct SgdUpdate {
    T lr, momentum, keep, decay;
    bool nesterov, first;
    double age;  // under a loss scaler: steps since the velocity was made

    explicit SgdUpdate(const SgdOptions& options) : SgdUpdate(options.step) { age = options.age; }
    explicit SgdUpdate(const SgdStep& s)
        : lr(static_cast<T>(s.lr)),
          momentum(static_cast<T>(s.momentum)),
          keep(static_cast<T>(1.0 - s.dampening)),
          decay(static_cast<T>(s.decay)),
          nesterov(s.nesterov != 0),
          first(s.first != 0),
          age(0) {}

    __device__ __forceinline__ void leave_out(int32_t skipped) { first = age - skipped == 1; }

    __device__ __forceinline__ void update(T (&x)[tensors]) const {
        T direction = multiply_add(decay, x[0], x[1]);
        if constexpr (tensors == 3) {
            const T moved = first ? direction : multiply_add(momentum, x[2], keep * direction);
            x[2] = moved;
            direction = nesterov ? multiply_add(momentum, moved, direction) : moved;
        }
        x[0] = multiply_add(-lr, direction, x[0]);
    }
};

}  // namespace

namespace ops {

// groups of (parameter, gradient[, velocity][, copy][, skipped]), updated in place
void sgd_step(const OpCall& call, const SgdParams& params, Queue& queue) {
    if (params.has_velocity != 0) return update_all<SgdUpdate, 3>(call, params, &sgd_options_of, queue);
    update_all<SgdUpdate, 2>(call, params, &sgd_options_of, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
