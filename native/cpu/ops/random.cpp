#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"
#include "ops/functions.h"
#include "ops/philox.h"

namespace nativegrad::cpu {

namespace {

// Values drawn from one counter: a normal takes a whole block for two, a double or an integer half a block.
constexpr int64_t values_per_counter(Distribution distribution, DType dtype) {
    if (distribution == Distribution::uniform && dtype != DType::float64) return 4;
    if (distribution == Distribution::bernoulli) return 4;
    return 2;
}

// Lemire's multiply-shift: low + high word of (bits * range). The bias is below range / 2^64.
int64_t integer_in(const PhiloxBlock& block, int half, int64_t low, uint64_t range) {
    const uint64_t bits = (uint64_t{block.values[2 * half]} << 32) | block.values[2 * half + 1];
    return low +
           static_cast<int64_t>(static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * range) >> 64));
}

// Uniform in [0, 1) with as many bits as the dtype has, so that storing does not round up to 1.
double uniform_in(DType dtype, uint32_t bits) {
    switch (dtype) {
        case DType::float16:
            return static_cast<double>(bits >> 21) * 4.8828125e-4;  // 2^-11
        case DType::bfloat16:
            return static_cast<double>(bits >> 24) * 3.90625e-3;  // 2^-8
        default:
            return static_cast<double>(uniform_float(bits));
    }
}

// The value as it will be stored; scaling may have rounded it up to the open end of the range.
double below(DType dtype, double value, double low, double high) {
    double stored = value;
    if (dtype == DType::float32) stored = static_cast<double>(static_cast<float>(value));
    if (dtype == DType::float16)
        stored = static_cast<double>(to_float(to_float16(static_cast<float>(value))));
    if (dtype == DType::bfloat16)
        stored = static_cast<double>(to_float(to_bfloat16(static_cast<float>(value))));
    return stored < high || high <= low ? stored : low;
}

// The bounds of this model's draw; mean and deviation for normal, the probability for bernoulli.
struct Bounds {
    double low, high;
};

void draw(Distribution distribution, const Bounds& bounds, DType dtype, const PhiloxBlock& block,
          double* out) {
    const double span = bounds.high - bounds.low;
    switch (distribution) {
        case Distribution::uniform:
            if (dtype == DType::float64) {
                for (int i = 0; i < 2; ++i) {
                    const double u = uniform_double(block.values[2 * i], block.values[2 * i + 1]);
                    out[i] = below(dtype, bounds.low + span * u, bounds.low, bounds.high);
                }
                return;
            }
            for (int i = 0; i < 4; ++i) {
                const double u = uniform_in(dtype, block.values[i]);
                out[i] = below(dtype, bounds.low + span * u, bounds.low, bounds.high);
            }
            return;
        case Distribution::normal: {
            const NormalPair pair = normal_pair(block);
            out[0] = bounds.low + bounds.high * pair.first;
            out[1] = bounds.low + bounds.high * pair.second;
            return;
        }
        case Distribution::integer:
            for (int i = 0; i < 2; ++i) {
                out[i] = static_cast<double>(
                    integer_in(block, i, static_cast<int64_t>(bounds.low), static_cast<uint64_t>(span)));
            }
            return;
        case Distribution::bernoulli:
            for (int i = 0; i < 4; ++i)
                out[i] = static_cast<double>(uniform_float(block.values[i])) < bounds.low ? 1.0 : 0.0;
            return;
        case Distribution::count:
            break;
    }
}

uint64_t counter_value(const ScalarSlot& slot, const char* what) {
    const double value = slot.values[0];
    if (!(value >= 0 && value <= 9007199254740992.0))
        fail("the %s must lie in [0, 2^53], got %g", what, value);
    return static_cast<uint64_t>(value);
}

void expect_range(Distribution distribution, const Bounds& bounds) {
    if (distribution != Distribution::integer) return;
    constexpr double limit = 9007199254740992.0;
    if (!(bounds.low >= -limit && bounds.high <= limit && bounds.low < bounds.high))
        fail("no integers in [%g, %g)", bounds.low, bounds.high);
}

}  // namespace

// -> out [...], element i from counter offset + i / values_per_counter
void random(const OpCall& call, const RandomParams& params) {
    expect_operands(call, 0, 1);
    if (params.distribution < 0 || params.distribution >= static_cast<int32_t>(Distribution::count)) {
        fail("no distribution %d", params.distribution);
    }
    const auto distribution = static_cast<Distribution>(params.distribution);
    const Bounds bounds{params.low.values[0], params.high.values[0]};
    const TensorView& out = call.outputs[0];
    const int64_t n = element_count(out);
    const int64_t per_counter = values_per_counter(distribution, out.dtype);
    if (!is_row_major(out)) fail("writes row-major tensors only");
    const uint64_t seed = counter_value(params.seed, "seed"), offset = counter_value(params.offset, "offset");
    expect_range(distribution, bounds);
    parallel_for((n + block_size - 1) / block_size, [&](int64_t task) {
        double values[block_size];
        const int64_t first = task * block_size, count = std::min(block_size, n - first);
        for (int64_t i = 0; i < count; i += per_counter) {
            const uint64_t counter = offset + static_cast<uint64_t>((first + i) / per_counter);
            draw(distribution, bounds, out.dtype, philox(seed, counter, 0), values + i);
        }
        store_block(out.dtype, element(out, first), 1, count, values);
    });
}

}  // namespace nativegrad::cpu
