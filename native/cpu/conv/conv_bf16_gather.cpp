#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/conv/conv_bf16.h"
#include "cpu/conv/tap_runs.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t most_rows = conv_bf16_most_rows;
constexpr int64_t weight_elements = 131072;  // of one group: a quarter of a second-level cache

// Weights of one phase as [group][panel][run][pair of the run][nr][2], zeros past the last channel out and in
// the second place of a single one.
class PackedPairs {
  public:
    PackedPairs(const ConvPlan& plan, const ConvPhase& phase, const TapRuns& runs,
                const ConvWeights<BFloat16>& w, int64_t nr)
        : panels((plan.group_out_channels() + nr - 1) / nr),
          steps((runs.length + 1) / 2),
          panel_size(static_cast<int64_t>(runs.offsets.size()) * steps * nr * 2),
          buffer_(plan.groups * panels * panel_size) {
        const int64_t count = static_cast<int64_t>(runs.offsets.size());
        const int64_t taps = runs.length / std::max<int64_t>(plan.group_channels(), 1);
        parallel_for(plan.groups * panels * count, [&](int64_t task) {
            const int64_t run = task % count, panel = task / count % panels, group = task / count / panels;
            BFloat16* to = buffer_.data() + task * steps * nr * 2;
            std::fill(to, to + steps * nr * 2, BFloat16{0});
            const int64_t outs = std::min(nr, plan.group_out_channels() - panel * nr);
            const BFloat16* from = w.data + group * w.group + panel * nr * w.out;
            for (int64_t i = 0; i < runs.length; ++i) {
                const ConvTap& tap = phase.taps[static_cast<size_t>(run * taps + i / plan.group_channels())];
                const BFloat16* element = from + i % plan.group_channels() * w.in + tap.kernel_row * w.row +
                                          tap.kernel_column * w.column;
                BFloat16* pair = to + i / 2 * nr * 2 + i % 2;
                for (int64_t o = 0; o < outs; ++o) pair[2 * o] = element[o * w.out];
            }
        });
    }

    const BFloat16* panel(int64_t group, int64_t index) const {
        return buffer_.data() + (group * panels + index) * panel_size;
    }

    int64_t panels, steps, panel_size;

  private:
    WorkBuffer<BFloat16> buffer_;
};

struct PhaseWork {
    const ConvPhase& phase;
    TapRuns runs;
    PackedPairs weights;
};

std::vector<float> padded_bias(const ConvPlan& plan, const float* bias, int64_t panels, int64_t nr) {
    std::vector<float> padded;
    if (bias == nullptr) return padded;
    padded.resize(static_cast<size_t>(plan.groups * panels * nr));
    const int64_t outs = plan.group_out_channels();
    for (int64_t group = 0; group < plan.groups; ++group)
        std::copy_n(bias + group * outs, outs, padded.begin() + group * panels * nr);
    return padded;
}

// Points the tile at `count` pixels of a band, the first of which is number `start`.
template <class Out>
void point(ConvBf16Tile& tile, const ConvPlan& plan, const ConvPhase& phase, const BFloat16* buffer, Out* out,
           int64_t first_row, int64_t start, int64_t count) {
    tile.row_count = count;
    int64_t row = start / phase.columns, column = start % phase.columns;
    for (int64_t i = 0; i < count; ++i) {
        tile.rows[i] =
            buffer + (row * plan.in_step[0] * plan.padded_width + column * plan.in_step[1]) * plan.channels;
        const int64_t y = phase.out_row + (first_row + row) * plan.out_step[0];
        const int64_t x = phase.out_column + column * plan.out_step[1];
        tile.out[i] = out + (y * plan.out_width + x) * plan.out_channels;
        if (++column == phase.columns) {
            column = 0;
            ++row;
        }
    }
    tile.row_step = count > 1 ? even_step(tile.rows, count) : 0;
}

// Whether the kernel that keeps the weights of one panel in registers does this phase.
bool has_few_taps(const ConvPlan& plan, const PhaseWork& work) {
    return plan.groups == 1 && work.runs.length == conv_bf16_few_length &&
           static_cast<int64_t>(work.runs.offsets.size()) == conv_bf16_few_runs &&
           plan.out_channels % kernels().conv_bf16.nr == 0;
}

void run_few_taps(const ConvPlan& plan, const PhaseWork& work, const BFloat16* buffer,
                  const std::vector<float>& bias, BFloat16* out, int64_t first_row) {
    const int64_t nr = kernels().conv_bf16.nr, line = plan.out_width * plan.out_channels;
    ConvBf16FewTaps rows{};
    rows.rows = std::min(plan.band, work.phase.rows - first_row);
    rows.pixels = work.phase.columns;
    rows.x = buffer;
    rows.x_row = plan.in_step[0] * plan.padded_width * plan.channels;
    rows.x_step = plan.in_step[1] * plan.channels;
    rows.offsets = work.runs.offsets.data();
    rows.out_row = plan.out_step[0] * line;
    rows.out_step = plan.out_step[1] * plan.out_channels;
    BFloat16* first = out + (work.phase.out_row + first_row * plan.out_step[0]) * line +
                      work.phase.out_column * plan.out_channels;
    for (int64_t panel = 0; panel < work.weights.panels; ++panel) {
        rows.b = work.weights.panel(0, panel);
        rows.bias = bias.empty() ? nullptr : bias.data() + panel * nr;
        rows.out = first + panel * nr;
        kernels().conv_bf16.few_taps(rows);
    }
}

template <class Out>
void run_band(const ConvPlan& plan, const PhaseWork& work, const BFloat16* buffer,
              const std::vector<float>& bias, Out* out, int64_t first_row) {
    if constexpr (std::is_same_v<Out, BFloat16>) {
        if (has_few_taps(plan, work)) return run_few_taps(plan, work, buffer, bias, out, first_row);
    }
    const ConvBf16Kernels& micro = kernels().conv_bf16;
    const int64_t pixels = std::min(plan.band, work.phase.rows - first_row) * work.phase.columns;
    ConvBf16Tile tile{};
    tile.run_offsets = work.runs.offsets.data();
    tile.runs = static_cast<int64_t>(work.runs.offsets.size());
    tile.pairs = work.runs.length / 2;
    tile.single = work.runs.length % 2 != 0;
    tile.pair_step = 2;
    tile.b_step = 2 * micro.nr;
    tile.rounds = std::is_same_v<Out, BFloat16>;
    // One panel of weights after the other while they all stay in the second-level cache: the tile's pixels
    // are read once.
    const int64_t panels = work.weights.panels;
    const bool together = panels * work.weights.panel_size <= weight_elements;
    const int64_t tiles = (pixels + most_rows - 1) / most_rows;
    for (int64_t group = 0; group < plan.groups; ++group) {
        for (int64_t index = 0; index < tiles * panels; ++index) {
            const int64_t panel = together ? index % panels : index / tiles;
            const int64_t start = (together ? index / panels : index % tiles) * most_rows;
            if (!together || panel == 0) {
                point(tile, plan, work.phase, buffer + group * plan.group_channels(),
                      out + group * plan.group_out_channels() + panel * micro.nr, first_row, start,
                      std::min(most_rows, pixels - start));
            } else {
                for (int64_t i = 0; i < tile.row_count; ++i)
                    tile.out[i] = static_cast<Out*>(tile.out[i]) + micro.nr;
            }
            tile.b = work.weights.panel(group, panel);
            tile.bias = bias.empty() ? nullptr : bias.data() + (group * panels + panel) * micro.nr;
            tile.cols = std::min(micro.nr, plan.group_out_channels() - panel * micro.nr);
            micro.run[tile.row_count](tile);
        }
    }
}

}  // namespace

template <class Out>
void conv_gather_bf16(const ConvPlan& plan, const BFloat16* image, const ConvWeights<BFloat16>& weights,
                      const float* bias, Out* out, const BandDone<Out>& done) {
    ConvPlan used = plan;
    const bool in_place = needs_no_padding(plan);
    if (in_place) used.padded_width = plan.width;
    const int64_t nr = kernels().conv_bf16.nr;
    std::vector<PhaseWork> work;
    for (const ConvPhase& phase : used.phases) {
        TapRuns runs(used, phase);
        PackedPairs packed(used, phase, runs, weights, nr);
        work.push_back({phase, std::move(runs), std::move(packed)});
    }
    if (work.empty()) return;
    const std::vector<float> biases = padded_bias(used, bias, work[0].weights.panels, nr);
    const int64_t bands = used.bands();
    parallel_for(used.images * bands, [&](int64_t task) {
        const int64_t index = task / bands, first_row = task % bands * used.band;
        const BFloat16* from = image + index * used.height * used.width * used.channels;
        Out* to = out + index * used.out_height * used.out_width * used.out_channels;
        WorkBuffer<BFloat16> padded(in_place ? 0 : used.band_rows() * used.padded_width * used.channels);
        const BFloat16* buffer = padded.data();
        if (in_place) {
            buffer = from + first_row * used.in_step[0] * used.width * used.channels;
        } else {
            load_padded(used, from, first_row * used.in_step[0], used.band_rows(), padded.data());
        }
        for (const PhaseWork& part : work) {
            if (first_row < part.phase.rows) run_band(used, part, buffer, biases, to, first_row);
        }
        if (!done) return;
        done(index, first_row, std::min(used.band, used.out_height - first_row),
             to + first_row * used.out_width * used.out_channels);
    });
}

template void conv_gather_bf16(const ConvPlan&, const BFloat16*, const ConvWeights<BFloat16>&, const float*,
                               float*, const BandDone<float>&);
template void conv_gather_bf16(const ConvPlan&, const BFloat16*, const ConvWeights<BFloat16>&, const float*,
                               BFloat16*, const BandDone<BFloat16>&);

}  // namespace nativegrad::cpu
