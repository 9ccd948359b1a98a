// Dynamic loss scaling: what is found in the gradients, what the update makes of it, how the scale goes on.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/thread_pool.h"
#include "ops/loss_scale.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t elements_per_task = 16384;
constexpr int lanes = 8;

int64_t pieces_of(int64_t n) { return (n + elements_per_task - 1) / elements_per_task; }

// One flag for all elements: the exponent of inf and NaN is all ones.
bool has_nonfinite(const float* x, int64_t n) {
    uint32_t bad = 0;
    for (int64_t i = 0; i < n; ++i) {
        uint32_t bits;
        std::memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
    }
    return bad != 0;
}

bool has_nonfinite(const double* x, int64_t n) {
    bool bad = false;
    for (int64_t i = 0; i < n; ++i) bad |= !std::isfinite(x[i]);
    return bad;
}

// sum of (x * factor)^2, in a fixed order
template <class T>
double sum_of_squares(const T* x, int64_t n, double factor) {
    double sums[lanes] = {};
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        for (int lane = 0; lane < lanes; ++lane) {
            const double value = static_cast<double>(x[i + lane]) * factor;
            sums[lane] += value * value;
        }
    }
    double total = 0;
    for (const double sum : sums) total += sum;
    for (; i < n; ++i) total += (static_cast<double>(x[i]) * factor) * (static_cast<double>(x[i]) * factor);
    return total;
}

// body(T* elements, count, number of the piece) for the pieces of all gradients, in parallel
template <class Body>
int64_t each_gradient(const TensorView* gradients, int32_t count, const Body& body) {
    std::vector<int64_t> first(static_cast<size_t>(count) + 1, 0);
    for (int32_t i = 0; i < count; ++i)
        first[static_cast<size_t>(i) + 1] =
            first[static_cast<size_t>(i)] + pieces_of(element_count(gradients[i]));
    parallel_for(first.back(), [&](int64_t task) {
        const auto next = std::upper_bound(first.begin(), first.end(), task);
        const TensorView& x = gradients[next - first.begin() - 1];
        const int64_t start = (task - *(next - 1)) * elements_per_task;
        const int64_t n = std::min(elements_per_task, element_count(x) - start);
        if (x.dtype == DType::float64) return body(static_cast<double*>(x.data) + start, n, task);
        body(static_cast<float*>(x.data) + start, n, task);
    });
    return first.back();
}

int64_t count_pieces(const TensorView* gradients, int32_t count) {
    int64_t pieces = 0;
    for (int32_t i = 0; i < count; ++i) pieces += pieces_of(element_count(gradients[i]));
    return pieces;
}

}  // namespace

// inverse [], gradients... -> found [] (1 where an element is not finite, else as it was)(, squares [] = sum
// of (gradient * inverse)^2)
void amp_check(const OpCall& call, const NoParams&) {
    check_amp_check(call);
    const TensorView* gradients = call.inputs + 1;
    const int32_t count = call.input_count - 1;
    for (int32_t i = 0; i < count; ++i) check_gradient(gradients[i]);
    const double inverse = *static_cast<const float*>(call.inputs[0].data);
    const bool sums = call.output_count == 2;
    std::atomic<bool> found{false};
    std::vector<double> parts(static_cast<size_t>(sums ? count_pieces(gradients, count) : 0));
    each_gradient(gradients, count, [&](const auto* x, int64_t n, int64_t piece) {
        if (has_nonfinite(x, n)) found.store(true, std::memory_order_relaxed);
        if (sums) parts[static_cast<size_t>(piece)] = sum_of_squares(x, n, inverse);
    });
    if (found) *static_cast<int32_t*>(call.outputs[0].data) = 1;
    if (!sums) return;
    double total = 0;
    for (const double part : parts) total += part;
    *static_cast<double*>(call.outputs[1].data) = total;
}

// inverse [], squares [calls] -> multiplier [] = inverse * min(1, max_norm / (norm + 1e-6)), norm []
void amp_factor(const OpCall& call, const AmpFactorParams& params) {
    check_amp_factor(call);
    const double* squares = static_cast<const double*>(call.inputs[1].data);
    double total = 0;
    for (int64_t i = 0; i < element_count(call.inputs[1]); ++i) total += squares[i];
    write_factor(params.max_norm.values[0], total, *static_cast<const float*>(call.inputs[0].data),
                 static_cast<float*>(call.outputs[0].data), static_cast<float*>(call.outputs[1].data));
}

// inverse [] -> found [] (1 where an element is not finite, else as it was), gradients... *= inverse
void amp_unscale(const OpCall& call, const NoParams&) {
    check_amp_unscale(call);
    const float inverse = *static_cast<const float*>(call.inputs[0].data);
    std::atomic<bool> found{false};
    each_gradient(call.outputs + 1, call.output_count - 1, [&](auto* x, int64_t n, int64_t) {
        if (has_nonfinite(x, n)) found.store(true, std::memory_order_relaxed);
        for (int64_t i = 0; i < n; ++i) x[i] *= inverse;
    });
    if (found) *static_cast<int32_t*>(call.outputs[0].data) = 1;
}

// -> scale [], inverse [], counts [3], found []...; see change_scale. found becomes 0.
void amp_update(const OpCall& call, const AmpUpdateParams& params) {
    check_amp_update(call);
    bool found = false;
    for (int32_t i = 3; i < call.output_count; ++i) {
        int32_t& flag = *static_cast<int32_t*>(call.outputs[i].data);
        found |= flag != 0;
        flag = 0;
    }
    change_scale(scale_change_of(params), found, static_cast<float*>(call.outputs[0].data),
                 static_cast<float*>(call.outputs[1].data), static_cast<int32_t*>(call.outputs[2].data));
}

}  // namespace nativegrad::cpu
