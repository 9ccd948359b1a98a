#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"
#include "ops/philox.h"

namespace nativegrad::cpu {

namespace {

// Factors of the elements first, first + 1, ...: scale where kept, else 0.
template <class T>
void fill_factors(const DropoutParams& params, int64_t first, int64_t n, T* factors) {
    const double probability = params.probability.values[0];
    const T scale = probability < 1 ? static_cast<T>(1.0 / (1.0 - probability)) : T(0);
    const uint64_t seed = static_cast<uint64_t>(params.seed.values[0]),
                   offset = static_cast<uint64_t>(params.offset.values[0]);
    PhiloxBlock block{};
    for (int64_t i = 0; i < n; ++i) {
        const int64_t at = first + i;
        if (i == 0 || at % 4 == 0) block = philox(seed, offset + static_cast<uint64_t>(at / 4), 0);
        const double number = static_cast<double>(uniform_float(block.values[at % 4]));
        factors[i] = number >= probability ? scale : T(0);
    }
}

// Element offset of a run along the last axis.
int64_t run_offset(const TensorView& view, int64_t run) {
    int64_t offset = 0;
    for (int32_t axis = view.rank - 2; axis >= 0; --axis) {
        offset += run % view.shape[axis] * view.strides[axis];
        run /= view.shape[axis];
    }
    return offset;
}

}  // namespace

// x [...] -> y [...] = x times 1 / (1 - probability) where kept, times 0 elsewhere. Its own gradient: the
// same call on dy.
void dropout(const OpCall& call, const DropoutParams& params) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const int64_t count = element_count(y);
    if (count == 0) return;
    const int64_t length = y.rank == 0 ? 1 : y.shape[y.rank - 1];
    const int64_t from_stride = x.rank == 0 ? 1 : x.strides[x.rank - 1],
                  to_stride = y.rank == 0 ? 1 : y.strides[y.rank - 1];
    const int64_t runs = count / length, per_task = std::max<int64_t>(1, 4096 / length);
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        parallel_for((runs + per_task - 1) / per_task, [&](int64_t task) {
            T values[block_size], factors[block_size];
            const int64_t end = std::min(runs, (task + 1) * per_task);
            for (int64_t run = task * per_task; run < end; ++run) {
                const int64_t from = run_offset(x, run), to = run_offset(y, run);
                for (int64_t i = 0; i < length; i += block_size) {
                    const int64_t n = std::min(block_size, length - i);
                    fill_factors(params, run * length + i, n, factors);
                    load_block(x.dtype, element(x, from + i * from_stride), from_stride, n, values);
                    for (int64_t k = 0; k < n; ++k) values[k] *= factors[k];
                    store_block(y.dtype, element(y, to + i * to_stride), to_stride, n, values);
                }
            }
        });
    });
}

}  // namespace nativegrad::cpu
