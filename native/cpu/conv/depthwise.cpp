#include "cpu/conv/depthwise.h"

#include <algorithm>
#include <vector>

#include "cpu/conv/gradient_slices.h"
#include "cpu/conv/tap_runs.h"
#include "cpu/gemm/gemm_grid.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t most_slices = 16;

// What a phase reads of each pixel, and its weights as [tap][channel].
struct Taps {
    const ConvPhase& phase;
    std::vector<int64_t> offsets;
    std::vector<float> weights;

    Taps(const ConvPlan& plan, const ConvPhase& one) : phase(one) {
        for (const ConvTap& tap : one.taps)
            offsets.push_back((tap.row * plan.padded_width + tap.column) * plan.channels);
    }

    void take(const ConvPlan& plan, const ConvWeights<float>& w) {
        weights.reserve(offsets.size() * static_cast<size_t>(plan.channels));
        for (const ConvTap& tap : phase.taps) {
            const float* from = w.data + tap.kernel_row * w.row + tap.kernel_column * w.column;
            for (int64_t c = 0; c < plan.channels; ++c) weights.push_back(from[c * w.group]);
        }
    }

    DepthwiseRow row(const ConvPlan& plan, const float* x) const {
        return {phase.columns,
                plan.channels,
                static_cast<int64_t>(offsets.size()),
                x,
                plan.in_step[1] * plan.channels,
                offsets.data()};
    }
};

// The padded rows of a band, in place where there is no margin.
class Band {
  public:
    Band(const ConvPlan& plan, const float* image, int64_t first_row, bool in_place)
        : buffer_(in_place ? 0 : plan.band_rows() * plan.padded_width * plan.channels) {
        const int64_t row = first_row * plan.in_step[0];
        data = in_place ? image + row * plan.width * plan.channels : buffer_.data();
        if (!in_place) load_padded(plan, image, row, plan.band_rows(), buffer_.data());
    }

    const float* data;

  private:
    WorkBuffer<float> buffer_;
};

// What is needed soon, into the second-level cache.
void fetch_lines(const float* from, int64_t count) {
    constexpr int64_t line = 64 / sizeof(float);
    for (int64_t i = 0; i < count; i += line) __builtin_prefetch(from + i, 0, 2);
}

ConvPlan unpadded(const ConvPlan& plan, bool in_place) {
    ConvPlan used = plan;
    if (in_place) used.padded_width = plan.width;
    return used;
}

}  // namespace

void depthwise_gather(const ConvPlan& whole_plan, const float* image, const ConvWeights<float>& weights,
                      const float* bias, float* out, const BandDone<float>& done) {
    const bool in_place = needs_no_padding(whole_plan);
    const ConvPlan plan = unpadded(whole_plan, in_place);
    std::vector<Taps> phases;
    for (const ConvPhase& phase : plan.phases) {
        phases.emplace_back(plan, phase);
        phases.back().take(plan, weights);
    }
    const int64_t bands = plan.bands(), line = plan.out_width * plan.out_channels;
    parallel_for(plan.images * bands, [&](int64_t task) {
        const int64_t index = task / bands, first = task % bands * plan.band;
        const Band band(plan, image + index * plan.height * plan.width * plan.channels, first, in_place);
        float* to = out + index * plan.out_height * line;
        for (const Taps& taps : phases) {
            const ConvPhase& phase = taps.phase;
            for (int64_t r = 0; r < std::min(plan.band, phase.rows - first); ++r) {
                const float* x = band.data + r * plan.in_step[0] * plan.padded_width * plan.channels;
                kernels().conv.depthwise.forward(taps.row(plan, x), taps.weights.data(), bias,
                                                 to +
                                                     (phase.out_row + (first + r) * plan.out_step[0]) * line +
                                                     phase.out_column * plan.out_channels,
                                                 plan.out_step[1] * plan.out_channels);
            }
        }
        if (done) done(index, first, std::min(plan.band, plan.out_height - first), to + first * line);
    });
}

void depthwise_weight_gradient(const ConvPlan& whole_plan, const float* x, const float* dy, float* dw,
                               float* dbias) {
    const bool in_place = needs_no_padding(whole_plan);
    const ConvPlan plan = unpadded(whole_plan, in_place);
    const Taps taps(plan, plan.phases[0]);
    const int64_t n = plan.channels, count = static_cast<int64_t>(taps.offsets.size()), size = count * n;
    const int64_t bands = plan.bands(), units = plan.images * bands, line = plan.out_width * n;
    const int64_t slices = std::clamp<int64_t>(units, 1, most_slices);
    WorkBuffer<float> partials(slices * size);
    std::vector<double> biases(static_cast<size_t>(dbias != nullptr ? slices * n : 0));
    parallel_for(slices, [&](int64_t slice) {
        float* sums = partials.data() + slice * size;
        std::fill_n(sums, size, 0.0f);
        const Range range = part_of(units, slices, slice);
        for (int64_t unit = range.begin; unit < range.end; ++unit) {
            const int64_t index = unit / bands, first = unit % bands * plan.band;
            const int64_t rows = std::min(plan.band, plan.out_height - first);
            const int64_t x_row = plan.in_step[0] * plan.width * n;
            const float* const image = x + index * plan.height * plan.width * n;
            const float* const next = image + std::min(plan.band * x_row, plan.height * plan.width * n);
            const Band band(plan, image, first, in_place);
            const float* from = dy + (index * plan.out_height + first) * line;
            for (int64_t r = 0; r < rows; ++r) {
                // The next unit's rows come from memory meanwhile; behind the last one there are none.
                fetch_lines(next + (first + r) * x_row, x_row);
                fetch_lines(from + (rows + r) * line, line);
                kernels().conv.depthwise.gradient(
                    taps.row(plan, band.data + r * plan.in_step[0] * plan.padded_width * n), from + r * line,
                    sums);
            }
            if (dbias != nullptr) add_rows(from, n, rows * plan.out_width, n, biases.data() + slice * n);
        }
    });
    join_slices(partials.data(), slices, size);
    kernels().gemm_f32.transpose(partials.data(), n, count, n, dw, count);
    if (dbias != nullptr) join_biases(biases, slices, n, dbias);
}

}  // namespace nativegrad::cpu
