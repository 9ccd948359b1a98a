#include "backend/ops.h"
#include "device/device.h"
#include "kernels/elementwise/walk.h"
#include "ops/philox.h"

namespace nativegrad::cuda {

namespace {

// Values drawn from one counter: a normal takes a whole block for two, a double or an integer half a block.
int values_per_counter(Distribution distribution, DType dtype) {
    if (distribution == Distribution::uniform && dtype != DType::float64) return 4;
    return distribution == Distribution::bernoulli ? 4 : 2;
}

// The high half of the product, of 32-bit parts.
__device__ __forceinline__ uint64_t multiply_high(uint64_t a, uint64_t b) {
    const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
    const uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (middle & 0xffffffffu);
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

// Uniform in [0, 1) with as many bits as the dtype has, so that storing does not round up to 1.
__device__ __forceinline__ double uniform_in(DType dtype, uint32_t bits) {
    if (dtype == DType::float16) return static_cast<double>(bits >> 21) * 4.8828125e-4;  // 2^-11
    if (dtype == DType::bfloat16) return static_cast<double>(bits >> 24) * 3.90625e-3;   // 2^-8
    return static_cast<double>(uniform_float(bits));
}

// The value as it will be stored; scaling may have rounded it up to the open end of the range.
__device__ __forceinline__ double below(DType dtype, double value, double low, double high) {
    double stored = value;
    const float single = static_cast<float>(value);
    if (dtype == DType::float32) stored = static_cast<double>(single);
    if (dtype == DType::float16) stored = static_cast<double>(as_float(from_float<Float16>(single)));
    if (dtype == DType::bfloat16) stored = static_cast<double>(as_float(from_float<BFloat16>(single)));
    return stored < high || high <= low ? stored : low;
}

struct Draw {
    Distribution distribution;
    DType dtype;
    double low, high;  // mean and deviation of a normal, the probability in `low` of bernoulli
    uint64_t seed, offset;
};

__device__ __forceinline__ void draw_doubles(const Draw& draw, const PhiloxBlock& block, double (&out)[4]) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const double u = uniform_double(block.values[2 * i], block.values[2 * i + 1]);
        out[i] = below(draw.dtype, draw.low + (draw.high - draw.low) * u, draw.low, draw.high);
    }
}

// Lemire's multiply-shift; the bias is below range / 2^64.
__device__ __forceinline__ void draw_integers(const Draw& draw, const PhiloxBlock& block, double (&out)[4]) {
    const uint64_t range = static_cast<uint64_t>(draw.high - draw.low);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const uint64_t bits = (uint64_t{block.values[2 * i]} << 32) | block.values[2 * i + 1];
        out[i] = static_cast<double>(static_cast<int64_t>(draw.low) +
                                     static_cast<int64_t>(multiply_high(bits, range)));
    }
}

// The numbers of one counter; the same bits as the CPU's (cpu/ops/random.cpp).
__device__ __forceinline__ void draw_values(const Draw& draw, const PhiloxBlock& block, double (&out)[4]) {
    switch (draw.distribution) {
        case Distribution::uniform:
            if (draw.dtype == DType::float64) return draw_doubles(draw, block, out);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const double u = uniform_in(draw.dtype, block.values[i]);
                out[i] = below(draw.dtype, draw.low + (draw.high - draw.low) * u, draw.low, draw.high);
            }
            return;
        case Distribution::normal: {
            const NormalPair pair = normal_pair(block);
            out[0] = draw.low + draw.high * pair.first;
            out[1] = draw.low + draw.high * pair.second;
            return;
        }
        case Distribution::integer:
            return draw_integers(draw, block, out);
        case Distribution::bernoulli:
#pragma unroll
            for (int i = 0; i < 4; ++i)
                out[i] = static_cast<double>(uniform_float(block.values[i])) < draw.low ? 1.0 : 0.0;
            return;
        case Distribution::count:
            return;
    }
}

// -> out [count], row-major; a lane draws all the values of a counter
__device__ __forceinline__ void random_values(const Live<Draw>& changing, void* out, int64_t count,
                                              int per_counter, bool is_packed) {
    const Draw draw = changing.get();
    const int64_t counters = (count + per_counter - 1) / per_counter;
    for (int64_t i = grid_thread_index(); i < counters; i += grid_thread_count()) {
        double values[4] = {0, 0, 0, 0};
        draw_values(draw, philox(draw.seed, draw.offset + static_cast<uint64_t>(i), 0), values);
        const int64_t first = i * per_counter;
        if (is_packed && first + group <= count) {
            store_group(out, draw.dtype, first, values);
            continue;
        }
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            if (k < per_counter && first + k < count) store_as(out, draw.dtype, first + k, values[k]);
        }
    }
}

uint64_t counter_value(const ScalarSlot& slot, const char* what) {
    const double value = slot.values[0];
    if (!(value >= 0 && value <= 9007199254740992.0))
        fail("the %s must lie in [0, 2^53], got %g", what, value);
    return static_cast<uint64_t>(value);
}

void expect_range(const Draw& draw) {
    if (draw.distribution != Distribution::integer) return;
    constexpr double limit = 9007199254740992.0;
    if (!(draw.low >= -limit && draw.high <= limit && draw.low < draw.high))
        fail("no integers in [%g, %g)", draw.low, draw.high);
}

}  // namespace

namespace ops {

// -> out [...], element i from counter offset + i / values_per_counter
void random(const OpCall& call, const RandomParams& params, Queue& queue) {
    expect_operands(call, 0, 1);
    if (params.distribution < 0 || params.distribution >= static_cast<int32_t>(Distribution::count))
        fail("no distribution %d", params.distribution);
    const TensorView& out = call.outputs[0];
    if (!is_row_major(out)) fail("writes row-major tensors only");
    const auto draw = queue.live(params, [dtype = out.dtype](const RandomParams& of) {
        const Draw draw{static_cast<Distribution>(of.distribution),
                        dtype,
                        of.low.values[0],
                        of.high.values[0],
                        counter_value(of.seed, "seed"),
                        counter_value(of.offset, "offset")};
        expect_range(draw);
        return draw;
    });
    const int64_t count = element_count(out);
    if (count == 0) return;
    const int per_counter = values_per_counter(draw.value.distribution, out.dtype);
    const bool is_packed = per_counter == group && is_group_aligned(out.data, out.dtype);
    launch_batched<random_values, unbounded>(elementwise_grid(count, per_counter), queue.stream(), draw,
                                             out.data, count, per_counter, is_packed);
}

}  // namespace ops

}  // namespace nativegrad::cuda
