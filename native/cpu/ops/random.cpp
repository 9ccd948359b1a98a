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

void draw(const RandomParams& params, DType dtype, const PhiloxBlock& block, double* out) {
    const double span = params.high - params.low;
    switch (static_cast<Distribution>(params.distribution)) {
        case Distribution::uniform:
            if (dtype == DType::float64) {
                for (int i = 0; i < 2; ++i) {
                    out[i] = params.low + span * uniform_double(block.values[2 * i], block.values[2 * i + 1]);
                }
                return;
            }
            for (int i = 0; i < 4; ++i) {
                // In float: the product and sum of doubles could round up to `high` on storing.
                const float value = static_cast<float>(params.low) +
                                    static_cast<float>(span) * uniform_float(block.values[i]);
                out[i] = value < static_cast<float>(params.high) || span <= 0
                             ? value
                             : static_cast<float>(params.low);
            }
            return;
        case Distribution::normal: {
            const NormalPair pair = normal_pair(block);
            out[0] = params.low + params.high * pair.first;
            out[1] = params.low + params.high * pair.second;
            return;
        }
        case Distribution::integer:
            for (int i = 0; i < 2; ++i) {
                out[i] = static_cast<double>(
                    integer_in(block, i, static_cast<int64_t>(params.low), static_cast<uint64_t>(span)));
            }
            return;
        case Distribution::bernoulli:
            for (int i = 0; i < 4; ++i)
                out[i] = static_cast<double>(uniform_float(block.values[i])) < params.low ? 1.0 : 0.0;
            return;
        case Distribution::count:
            break;
    }
}

}  // namespace

// -> out [...], element i from counter offset + i / values_per_counter
void random(const OpCall& call, const RandomParams& params) {
    expect_operands(call, 0, 1);
    if (params.distribution < 0 || params.distribution >= static_cast<int32_t>(Distribution::count)) {
        fail("no distribution %d", params.distribution);
    }
    const TensorView& out = call.outputs[0];
    const int64_t n = element_count(out);
    const int64_t per_counter = values_per_counter(static_cast<Distribution>(params.distribution), out.dtype);
    const uint64_t seed = static_cast<uint64_t>(params.seed.values[0]),
                   offset = static_cast<uint64_t>(params.offset.values[0]);
    parallel_for((n + block_size - 1) / block_size, [&](int64_t task) {
        double values[block_size];
        const int64_t first = task * block_size, count = std::min(block_size, n - first);
        for (int64_t i = 0; i < count; i += per_counter) {
            const uint64_t counter = offset + static_cast<uint64_t>((first + i) / per_counter);
            draw(params, out.dtype, philox(seed, counter, 0), values + i);
        }
        store_block(out.dtype, element(out, first), 1, count, values);
    });
}

}  // namespace nativegrad::cpu
