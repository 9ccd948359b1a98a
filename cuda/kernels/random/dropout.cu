#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/walk.h"
#include "ops/philox.h"

namespace nativegrad::cuda {

namespace {

struct DropoutNumbers {
    double probability, scale;
    uint64_t seed, offset;
};

DropoutNumbers numbers_of(const DropoutParams& params) {
    const double probability = params.probability.values[0];
    return {probability, probability < 1 ? 1.0 / (1.0 - probability) : 0.0,
            static_cast<uint64_t>(params.seed.values[0]), static_cast<uint64_t>(params.offset.values[0])};
}

// What is dropped depends on the place in logical order, so the axes are walked in that order: operand 0 is a
// row-major tensor that nobody has.
struct DropoutPlan {
    Source x;
    void* y;
    DType dtype;
    bool is_packed;  // x and y are row-major
    int64_t count;
    StridedAxes<3> axes;
    Live<DropoutNumbers> numbers;
};

TensorView logical_order(const TensorView& y) {
    TensorView order = y;
    set_row_major_strides(order);
    return order;
}

constexpr int words = 4;  // of a block of random numbers

// What elements of the blocks block, block + 1, ... are multiplied by.
template <class T, int width>
__device__ __forceinline__ void draw_factors(const DropoutNumbers& numbers, uint64_t block, T scale,
                                             Group<T, width>& factors) {
#pragma unroll
    for (int first = 0; first < width; first += words) {
        const PhiloxBlock drawn = philox(numbers.seed, numbers.offset + block + first / words, 0);
#pragma unroll
        for (int i = 0; i < words; ++i) {
            const double number = static_cast<double>(uniform_float(drawn.values[i]));
            factors[first + i] = number >= numbers.probability ? scale : T(0);
        }
    }
}

template <class T, int width>
__device__ __forceinline__ void drop_packed(const DropoutPlan& plan, int64_t first,
                                            const Group<T, width>& factors) {
    Group<T, width> values;
    load_group<T>(plan.x, first, values);
#pragma unroll
    for (int i = 0; i < width; ++i) values[i] *= factors[i];
    store_group<T>(plan.y, plan.dtype, first, values);
}

// x [...] -> y [...] = x * scale where kept, x * 0 elsewhere; one block of random words for four elements
template <class T, int width>
__device__ __forceinline__ void drop_groups(const DropoutPlan& plan) {
    const DropoutNumbers numbers = plan.numbers.get();
    const T scale = static_cast<T>(numbers.scale);
    const int64_t groups = (plan.count + width - 1) / width;
    for (int64_t g = grid_thread_index(); g < groups; g += grid_thread_count()) {
        Group<T, width> factors;
        draw_factors<T>(numbers, static_cast<uint64_t>(g) * (width / words), scale, factors);
        if (plan.is_packed && (g + 1) * width <= plan.count) {
            drop_packed<T>(plan, g * width, factors);
            continue;
        }
#pragma unroll
        for (int i = 0; i < width; ++i) {
            if (g * width + i >= plan.count) continue;
            const Offsets<3> at = locate(plan.axes, g * width + i);
            store_as(plan.y, plan.dtype, at.of[1], load_as<T>(plan.x, at.of[2]) * factors[i]);
        }
    }
}

}  // namespace

namespace ops {

// x [...] -> y [...] = x times 1 / (1 - probability) where kept, times 0 elsewhere. Its own gradient: the
// same call on dy.
void dropout(const OpCall& call, const DropoutParams& params, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView& y = call.outputs[0];
    const TensorView x = broadcast_to(call.inputs[0], y), order = logical_order(y);
    const int64_t count = element_count(y);
    if (count == 0) return;
    const auto is_packed_by = [&](int width) {
        return is_row_major(x) && is_row_major(y) && is_group_aligned(x.data, x.dtype, width) &&
               is_group_aligned(y.data, y.dtype, width) && !x.is_host_scalar;
    };
    const bool is_wide = item_size(x.dtype) == 2 && item_size(y.dtype) == 2 && is_packed_by(wide_group);
    const DropoutPlan plan{source_of(x),
                           y.data,
                           y.dtype,
                           is_packed_by(is_wide ? wide_group : group),
                           count,
                           StridedAxes<3>({&order, &y, &x}),
                           queue.live(params, &numbers_of)};
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        if constexpr (std::is_same_v<T, float>) {
            if (is_wide) {
                launch_batched<drop_groups<T, wide_group>>(elementwise_grid(count, wide_group),
                                                           queue.stream(), plan);
                return;
            }
        }
        launch_batched<drop_groups<T, group>>(elementwise_grid(count, group), queue.stream(), plan);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
