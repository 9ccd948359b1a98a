#include <algorithm>

#include "cpu/conv/winograd.h"
#include "cpu/conv/winograd_pieces.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t most_channels =
    256;  // whose 16 transformed weights still pay, and fit the last-level cache
constexpr int64_t least_outputs = 100;  // of an image: pays for the transform of the weights
constexpr int64_t pieces_together = 28;

constexpr int64_t lanes = winograd_channels;

// G g, for rows of `lanes` weights each: three of them at `step` -> four at `to_step`
void transform_three(const float (*g)[lanes], int64_t step, float (*to)[lanes], int64_t to_step) {
    for (int64_t i = 0; i < lanes; ++i) {
        const float first = g[0][i], middle = 0.5f * g[step][i], last = g[2 * step][i];
        const float sum = 0.5f * (first + last);
        to[0][i] = first;
        to[to_step][i] = sum + middle;
        to[2 * to_step][i] = sum - middle;
        to[3 * to_step][i] = last;
    }
}

// w -> to [16][channel in][channel out]: G g G^T
void transform_weights(const ConvPlan& plan, const ConvWeights<float>& w, float* to) {
    const int64_t ins = plan.channels, outs = plan.out_channels, plane = ins * outs;
    parallel_for(ins * outs / lanes, [&](int64_t task) {
        const int64_t c = task % ins, first = task / ins * lanes;
        float g[9][lanes], rows[12][lanes], all[winograd_elements][lanes];
        for (const ConvTap& tap : plan.phases[0].taps) {
            const float* from =
                w.data + c * w.in + first * w.out + tap.kernel_row * w.row + tap.kernel_column * w.column;
            for (int64_t o = 0; o < lanes; ++o) g[tap.row * 3 + tap.column][o] = from[o * w.out];
        }
        for (int64_t j = 0; j < 3; ++j) transform_three(g + j, 3, rows + j, 3);
        for (int64_t i = 0; i < 4; ++i) transform_three(rows + 3 * i, 1, all + 4 * i, 1);
        for (int64_t e = 0; e < winograd_elements; ++e)
            std::copy_n(all[e], lanes, to + e * plane + c * outs + first);
    });
}

}  // namespace

bool takes_winograd(const ConvPlan& plan) {
    const auto fits = [](int64_t channels) {
        return channels > 0 && channels % winograd_channels == 0 && channels <= most_channels;
    };
    if (plan.out_height * plan.out_width < least_outputs) return false;
    if (plan.groups != 1 || !fits(plan.channels) || !fits(plan.out_channels) || plan.phases.size() != 1)
        return false;
    if (plan.in_step[0] != 1 || plan.in_step[1] != 1 || plan.phases[0].taps.size() != 9) return false;
    for (size_t k = 0; k < 9; ++k) {
        const ConvTap& tap = plan.phases[0].taps[k];
        if (tap.row != static_cast<int64_t>(k) / 3 || tap.column != static_cast<int64_t>(k) % 3) return false;
    }
    return plan.bands() == 1 || plan.band % 2 == 0;
}

void winograd_gather(const ConvPlan& plan, const float* image, const ConvWeights<float>& weights,
                     const float* bias, float* out, const BandDone<float>& done) {
    const WinogradPieces pieces(plan);
    const int64_t ins = plan.channels, outs = plan.out_channels;
    WorkBuffer<float> transformed(winograd_elements * ins * outs);
    transform_weights(plan, weights, transformed.data());
    const int64_t rows_together = std::max<int64_t>(pieces_together / pieces.across, 1);
    const int64_t bands = plan.bands(), line = plan.out_width * outs;
    parallel_for(plan.images * bands, [&](int64_t task) {
        const int64_t index = task / bands, first = task % bands * plan.band;
        const int64_t end = std::min(plan.out_height, first + plan.band);
        const float* from = image + index * plan.height * plan.width * ins;
        float* to = out + index * plan.out_height * line;
        const int64_t most = rows_together * pieces.across;
        WorkBuffer<float> loaded(winograd_elements * most * ins), products(winograd_elements * most * outs);
        for (int64_t row = first; row < end; row += 2 * rows_together) {
            const int64_t count = std::min(rows_together, divide_up(end - row, 2));
            const int64_t together = count * pieces.across;
            pieces.load(from, row, count, loaded.data(), together * ins);
            for (int64_t e = 0; e < winograd_elements; ++e) {
                multiply_element(together, outs, ins, loaded.data() + e * together * ins, ins, 1,
                                 transformed.data() + e * ins * outs, products.data() + e * together * outs,
                                 false);
            }
            for (int64_t i = 0; i < count; ++i) {
                const int64_t at = row + 2 * i;
                float* rows[2] = {to + at * line, at + 1 < end ? to + (at + 1) * line : nullptr};
                kernels().conv.winograd.output(products.data() + i * pieces.across * outs, together * outs,
                                               outs, pieces.across, bias, rows, plan.out_width);
            }
        }
        if (done) done(index, first, end - first, to + first * line);
    });
}

}  // namespace nativegrad::cpu
