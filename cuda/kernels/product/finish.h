// What happens to an element of a product before it is stored.
#pragma once

#include <type_traits>

#include "device/live.h"
#include "device/maths.h"
#include "device/memory.h"
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
    void* low;  // the copy of the parameter in 16 bits, or null
    DType low_dtype;

    template <int width>
    __device__ __forceinline__ void store(float* p, int64_t at, const Pack<float, width>& weights) const {
        store_pack(p + at, weights);
        if (low == nullptr) return;
        if (low_dtype == DType::float16)
            store_low<Float16>(at, weights);
        else
            store_low<BFloat16>(at, weights);
    }
    template <class Stored, int width>
    __device__ __forceinline__ void store_low(int64_t at, const Pack<float, width>& weights) const {
        Pack<Stored, width> copy;
#pragma unroll
        for (int e = 0; e < width; ++e) copy[e] = from_float<Stored>(weights[e]);
        store_pack(static_cast<Stored*>(low) + at, copy);
    }
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

// Kingma and Ba, "Adam" (2015); the bits of optimizer/adam.cu
template <int width>
__device__ __forceinline__ void update_adam(const UpdateStep& update, float* p, int64_t at,
                                            const float (&gradients)[width]) {
    const UpdateNumbers numbers = update.numbers.get();
    const float(&c)[9] = numbers.values;
    const bool with_largest = update.state[2] != nullptr;
    auto weights = load_pack<width>(p + at), first = load_pack<width>(update.state[0] + at),
         second = load_pack<width>(update.state[1] + at), largest = second;
    if (with_largest) largest = load_pack<width>(update.state[2] + at);
#pragma unroll
    for (int e = 0; e < width; ++e) {
        const float weight = weights[e] * c[8];
        const float g = fma(c[7], weight, gradients[e]);
        first[e] = fma(c[1], g - first[e], first[e]);
        second[e] = fma(c[3] * g, g, c[2] * second[e]);
        float bound = second[e];
        if (with_largest) bound = largest[e] = largest[e] > bound ? largest[e] : bound;
        weights[e] = weight - c[5] * first[e] / (sqrt(bound) * c[6] + c[4]);
    }
    store_pack(update.state[0] + at, first);
    store_pack(update.state[1] + at, second);
    if (with_largest) store_pack(update.state[2] + at, largest);
    update.store(p, at, weights);
}

template <int width>
__device__ __forceinline__ void update_sgd(const UpdateStep& update, float* p, int64_t at,
                                           const float (&gradients)[width]) {
    const UpdateNumbers numbers = update.numbers.get();
    const float(&c)[9] = numbers.values;
    const bool with_velocity = update.state[0] != nullptr;
    auto weights = load_pack<width>(p + at), velocity = weights;
    if (with_velocity) velocity = load_pack<width>(update.state[0] + at);
#pragma unroll
    for (int e = 0; e < width; ++e) {
        const float g = fma(c[3], weights[e], gradients[e]);
        float step = g;
        if (with_velocity) {
            const float v = numbers.first ? g : fma(c[1], velocity[e], c[2] * g);
            velocity[e] = v;
            step = update.nesterov ? fma(c[1], v, g) : v;
        }
        weights[e] = fma(-c[0], step, weights[e]);
    }
    if (with_velocity) store_pack(update.state[0] + at, velocity);
    update.store(p, at, weights);
}

// Neighbours from `at` on; aligned where `width` is more than one.
template <int width>
__device__ __forceinline__ void finish_update(const Finish& finish, int64_t at,
                                              const float (&gradients)[width]) {
    float* const p = static_cast<float*>(finish.out);
    if (finish.kind == FinishKind::adam)
        update_adam(finish.update, p, at, gradients);
    else
        update_sgd(finish.update, p, at, gradients);
}

__device__ __forceinline__ bool is_update(const Finish& finish) {
    return finish.kind == FinishKind::adam || finish.kind == FinishKind::sgd;
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
        const float gradient[1] = {value};
        if (is_update(finish)) return finish_update(finish, at, gradient);
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
