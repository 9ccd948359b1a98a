// What happens to an element of a product before it is stored.
#pragma once

#include <type_traits>

#include "device/live.h"
#include "device/maths.h"
#include "kernels/values.h"

namespace nativegrad::cuda {

enum class FinishKind : int32_t { store, relu, add, relu_backward, adam, sgd };

// The numbers of an optimizer's step, folded as on the CPU: adam takes beta1, 1 - beta1, beta2, 1 - beta2,
// epsilon, step size, root scale, decay, shrink; sgd takes lr, momentum, 1 - dampening, decay. first: 1 = the
// velocity takes the gradient itself.
struct UpdateNumbers {
    float values[9];
    bool first;
};

struct UpdateStep {
    Live<UpdateNumbers> numbers;
    bool nesterov;
    // m, v and the largest v (or null); or the velocity (or null)
    float* state[3];
};

// v + bias, as numbers of dtype `rounds` -> sums; f(that, other) -> out. Rows lie row_stride apart; `other`
// lies as `out` does. An update takes the value as the gradient of `out`.
struct Finish {
    void* out = nullptr;
    DType dtype = DType::float32, rounds = DType::float32;
    int64_t row_stride = 0, column_stride = 1;
    FinishKind kind = FinishKind::store;
    void* sums = nullptr;  // null: not wanted
    const void* other = nullptr;
    bool has_bias = false;
    Source bias = {nullptr, DType::float32, 0};
    int64_t bias_stride = 0, bias_batch = 0;  // elements from one batch to the next
    UpdateStep update{};

    Finish() = default;
    // Stores.
    Finish(void* out, DType dtype, int64_t row_stride)
        : out(out), dtype(dtype), rounds(dtype), row_stride(row_stride) {}
};

// The value that a tensor of this dtype would hold.
template <class T>
__device__ __forceinline__ T rounded_to(DType dtype, T value) {
    if (dtype == DType::float16)
        return static_cast<T>(as_float(from_float<Float16>(static_cast<float>(value))));
    if (dtype == DType::bfloat16)
        return static_cast<T>(as_float(from_float<BFloat16>(static_cast<float>(value))));
    return value;
}

// Kingma and Ba, "Adam" (2015); the bits of optimizer/adam.cu, whatever nvcc would join here
__device__ __forceinline__ void update_adam(const UpdateStep& update, float* p, int64_t at, float gradient) {
    const UpdateNumbers numbers = update.numbers.get();
    const float(&c)[9] = numbers.values;
    const float weight = rounded_product(p[at], c[8]);
    const float g = fma(c[7], weight, gradient);
    float* m = update.state[0] + at;
    float* v = update.state[1] + at;
    const float first = fma(c[1], g - *m, *m), second = fma(c[3] * g, g, c[2] * *v);
    float bound = second;
    if (update.state[2] != nullptr) {
        const float largest = update.state[2][at];
        bound = largest > second ? largest : second;
        update.state[2][at] = bound;
    }
    *m = first;
    *v = second;
    p[at] = weight - c[5] * first / (rounded_product(sqrt(bound), c[6]) + c[4]);
}

__device__ __forceinline__ void update_sgd(const UpdateStep& update, float* p, int64_t at, float gradient) {
    const UpdateNumbers numbers = update.numbers.get();
    const float(&c)[9] = numbers.values;
    const float g = fma(c[3], p[at], gradient);
    float step = g;
    if (update.state[0] != nullptr) {
        float* velocity = update.state[0] + at;
        const float v = numbers.first ? g : fma(c[1], *velocity, c[2] * g);
        *velocity = v;
        step = update.nesterov ? fma(c[1], v, g) : v;
    }
    p[at] = fma(-c[0], step, p[at]);
}

// value = element (row, column) of product `batch`, whose first element lies at `offset` of out
template <class T>
__device__ __forceinline__ void finish_element(const Finish& finish, int64_t batch, int64_t offset,
                                               int64_t row, int64_t column, T value) {
    if (finish.has_bias)
        value += load_as<T>(finish.bias, batch * finish.bias_batch + column * finish.bias_stride);
    const int64_t at = offset + row * finish.row_stride + column * finish.column_stride;
    value = rounded_to(finish.rounds, value);
    if constexpr (std::is_same_v<T, float>) {
        if (finish.kind == FinishKind::adam)
            return update_adam(finish.update, static_cast<float*>(finish.out), at, value);
        if (finish.kind == FinishKind::sgd)
            return update_sgd(finish.update, static_cast<float*>(finish.out), at, value);
    }
    if (finish.sums != nullptr) store_as(finish.sums, finish.dtype, at, value);
    if (finish.kind == FinishKind::relu) {
        value = value <= T(0) ? T(0) : value;
    } else if (finish.kind == FinishKind::add || finish.kind == FinishKind::relu_backward) {
        const T other = load_as<T>(Source{finish.other, finish.dtype, 0}, at);
        if (finish.kind == FinishKind::add)
            value += other;
        else
            value = other <= T(0) ? T(0) : value;
    }
    store_as(finish.out, finish.dtype, at, value);
}

}  // namespace nativegrad::cuda
