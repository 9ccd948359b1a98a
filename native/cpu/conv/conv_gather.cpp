#include <algorithm>
#include <vector>

#include "cpu/conv/conv.h"
#include "cpu/conv/conv_kernel_choice.h"
#include "cpu/conv/depthwise.h"
#include "cpu/conv/tap_runs.h"
#include "cpu/conv/winograd.h"
#include "cpu/gemm/gemm.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t weight_elements = 65536;  // of one group: a quarter of a second-level cache

// Weights of one phase as [group][panel][tap][channel in][nr], zeros past the last channel out.
template <class T>
class PackedWeights {
  public:
    PackedWeights(const ConvPlan& plan, const ConvPhase& phase, const ConvWeights<T>& w, int64_t nr)
        : panels((plan.group_out_channels() + nr - 1) / nr),
          panel_size(static_cast<int64_t>(phase.taps.size()) * plan.group_channels() * nr),
          buffer_(plan.groups * panels * panel_size) {
        const int64_t tap_count = static_cast<int64_t>(phase.taps.size());
        parallel_for(plan.groups * panels * tap_count, [&](int64_t task) {
            const ConvTap& tap = phase.taps[static_cast<size_t>(task % tap_count)];
            const int64_t panel = task / tap_count % panels, group = task / tap_count / panels;
            const int64_t count = std::min(nr, plan.group_out_channels() - panel * nr);
            const T* from = w.data + group * w.group + panel * nr * w.out + tap.kernel_row * w.row +
                            tap.kernel_column * w.column;
            T* to = buffer_.data() + (group * panels + panel) * panel_size +
                    task % tap_count * plan.group_channels() * nr;
            for (int64_t c = 0; c < plan.group_channels(); ++c, from += w.in, to += nr) {
                for (int64_t o = 0; o < count; ++o) to[o] = from[o * w.out];
                std::fill(to + count, to + nr, T(0));
            }
        });
    }

    const T* panel(int64_t group, int64_t index) const {
        return buffer_.data() + (group * panels + index) * panel_size;
    }

    int64_t panels, panel_size;

  private:
    WorkBuffer<T> buffer_;
};

template <class T>
std::vector<T> padded_bias(const ConvPlan& plan, const T* bias, int64_t panels, int64_t nr) {
    std::vector<T> padded;
    if (bias == nullptr) return padded;
    padded.resize(static_cast<size_t>(plan.groups * panels * nr));
    const int64_t outs = plan.group_out_channels();
    for (int64_t group = 0; group < plan.groups; ++group)
        std::copy_n(bias + group * outs, outs, padded.begin() + group * panels * nr);
    return padded;
}

template <class T>
struct PhaseWork {
    const ConvPhase& phase;
    TapRuns runs;
    PackedWeights<T> weights;
};

// Walks the pixels of a band in tiles of mr.
template <class T>
class PixelTiles {
  public:
    PixelTiles(const ConvPlan& plan, const ConvPhase& phase, const T* buffer, T* out, int64_t first_row)
        : plan_(plan), phase_(phase), buffer_(buffer), out_(out), first_row_(first_row) {}

    void point(ConvTile<T>& tile, int64_t start, int64_t count, int64_t in_channel,
               int64_t out_channel) const {
        int64_t row = start / phase_.columns, column = start % phase_.columns;
        for (int64_t i = 0; i < count; ++i) {
            tile.rows[i] =
                buffer_ +
                (row * plan_.in_step[0] * plan_.padded_width + column * plan_.in_step[1]) * plan_.channels +
                in_channel;
            const int64_t y = phase_.out_row + (first_row_ + row) * plan_.out_step[0];
            const int64_t x = phase_.out_column + column * plan_.out_step[1];
            tile.out[i] = out_ + (y * plan_.out_width + x) * plan_.out_channels + out_channel;
            if (++column == phase_.columns) {
                column = 0;
                ++row;
            }
        }
        tile.row_step = even_step(tile.rows, count);
    }

  private:
    const ConvPlan& plan_;
    const ConvPhase& phase_;
    const T* buffer_;
    T* out_;
    int64_t first_row_;
};

// Whether the kernel that keeps the weights of one panel in registers does this phase.
template <class T>
bool has_few_taps(const ConvPlan& plan, const PhaseWork<T>& work) {
    return std::is_same_v<T, float> && plan.groups == 1 &&
           work.runs.length * static_cast<int64_t>(work.runs.offsets.size()) == conv_few_taps &&
           plan.out_channels % conv_micro<T>().nr == 0;
}

void run_few_taps(const ConvPlan& plan, const PhaseWork<float>& work, const float* buffer,
                  const std::vector<float>& bias, float* out, int64_t first_row) {
    int64_t offsets[conv_few_taps], count = 0;
    for (const int64_t offset : work.runs.offsets) {
        for (int64_t step = 0; step < work.runs.length; ++step) offsets[count++] = offset + step;
    }
    const int64_t nr = conv_micro<float>().nr, line = plan.out_width * plan.out_channels;
    ConvFewTaps<float> rows{};
    rows.rows = std::min(plan.band, work.phase.rows - first_row);
    rows.pixels = work.phase.columns;
    rows.x = buffer;
    rows.x_row = plan.in_step[0] * plan.padded_width * plan.channels;
    rows.x_step = plan.in_step[1] * plan.channels;
    rows.offsets = offsets;
    rows.out_row = plan.out_step[0] * line;
    rows.out_step = plan.out_step[1] * plan.out_channels;
    float* first = out + (work.phase.out_row + first_row * plan.out_step[0]) * line +
                   work.phase.out_column * plan.out_channels;
    for (int64_t panel = 0; panel < work.weights.panels; ++panel) {
        rows.b = work.weights.panel(0, panel);
        rows.bias = bias.empty() ? nullptr : bias.data() + panel * nr;
        rows.out = first + panel * nr;
        kernels().conv.few_taps(rows);
    }
}

template <class T>
void run_band(const ConvPlan& plan, const PhaseWork<T>& work, const T* buffer, const std::vector<T>& bias,
              T* out, int64_t first_row) {
    if constexpr (std::is_same_v<T, float>) {
        if (has_few_taps(plan, work)) return run_few_taps(plan, work, buffer, bias, out, first_row);
    }
    const ConvMicroKernel<T>& micro = conv_micro<T>();
    const int64_t rows = std::min(plan.band, work.phase.rows - first_row);
    const int64_t pixels = rows * work.phase.columns;
    const PixelTiles<T> pixel_tiles(plan, work.phase, buffer, out, first_row);
    ConvTile<T> tile;
    tile.run_offsets = work.runs.offsets.data();
    tile.runs = static_cast<int64_t>(work.runs.offsets.size());
    tile.run_length = work.runs.length;
    tile.run_step = 1;
    tile.b_step = micro.nr;
    tile.accumulate = false;
    // One panel of weights after the other while they all stay in the second-level cache: the tile's pixels
    // are read once.
    const int64_t panels = work.weights.panels;
    const bool together = panels * work.weights.panel_size <= weight_elements;
    const int64_t tiles = (pixels + micro.mr - 1) / micro.mr;
    for (int64_t group = 0; group < plan.groups; ++group) {
        for (int64_t index = 0; index < tiles * panels; ++index) {
            const int64_t panel = together ? index % panels : index / tiles;
            const int64_t start = (together ? index / panels : index % tiles) * micro.mr;
            if (!together || panel == 0) {
                tile.row_count = std::min(micro.mr, pixels - start);
                pixel_tiles.point(tile, start, tile.row_count, group * plan.group_channels(),
                                  group * plan.group_out_channels() + panel * micro.nr);
            } else {
                for (int64_t i = 0; i < tile.row_count; ++i) tile.out[i] += micro.nr;
            }
            tile.b = work.weights.panel(group, panel);
            tile.bias = bias.empty() ? nullptr : bias.data() + (group * panels + panel) * micro.nr;
            tile.cols = std::min(micro.nr, plan.group_out_channels() - panel * micro.nr);
            micro.run(tile);
        }
    }
}

// A matrix product of each band of pixels.
void pointwise_gather(const ConvPlan& plan, const float* image, const ConvWeights<float>& w,
                      const float* bias, float* out, const BandDone<float>& done) {
    const int64_t ins = plan.channels, outs = plan.out_channels, bands = plan.bands();
    // The kernel may have more columns, of which the others never meet the image.
    const ConvTap& tap = plan.phases[0].taps[0];
    const float* const from = w.data + tap.kernel_row * w.row + tap.kernel_column * w.column;
    WorkBuffer<float> weights(ins * outs);
    for (int64_t c = 0; c < ins; ++c) {
        for (int64_t o = 0; o < outs; ++o) weights.data()[c * outs + o] = from[c * w.in + o * w.out];
    }
    parallel_for(plan.images * bands, [&](int64_t task) {
        const int64_t index = task / bands, first = task % bands * plan.band;
        const int64_t rows = std::min(plan.band, plan.out_height - first);
        const int64_t at = (index * plan.height + first) * plan.width;
        gemm(rows * plan.width, outs, ins, {image + at * ins, ins, 1}, {weights.data(), outs, 1},
             out + at * outs, outs, bias);
        if (done) done(index, first, rows, out + at * outs);
    });
}

}  // namespace

template <class T>
void conv_gather(const ConvPlan& plan, const T* image, const ConvWeights<T>& weights, const T* bias, T* out,
                 const BandDone<T>& done) {
    if constexpr (std::is_same_v<T, float>) {
        if (takes_winograd(plan)) return winograd_gather(plan, image, weights, bias, out, done);
        if (is_depthwise(plan)) return depthwise_gather(plan, image, weights, bias, out, done);
        if (is_pointwise(plan)) return pointwise_gather(plan, image, weights, bias, out, done);
    }
    ConvPlan used = plan;
    const bool in_place = needs_no_padding(plan);
    if (in_place) used.padded_width = plan.width;
    const int64_t nr = conv_micro<T>().nr;
    std::vector<PhaseWork<T>> work;
    for (const ConvPhase& phase : used.phases)
        work.push_back({phase, TapRuns(used, phase), PackedWeights<T>(used, phase, weights, nr)});
    if (work.empty()) return;
    const std::vector<T> biases = padded_bias(used, bias, work[0].weights.panels, nr);
    const int64_t bands = used.bands();
    parallel_for(used.images * bands, [&](int64_t task) {
        const int64_t index = task / bands, first_row = task % bands * used.band;
        const T* from = image + index * used.height * used.width * used.channels;
        T* to = out + index * used.out_height * used.out_width * used.out_channels;
        WorkBuffer<T> padded(in_place ? 0 : used.band_rows() * used.padded_width * used.channels);
        const T* buffer = padded.data();
        if (in_place) {
            buffer = from + first_row * used.in_step[0] * used.width * used.channels;
        } else {
            load_padded(used, from, first_row * used.in_step[0], used.band_rows(), padded.data());
        }
        for (const PhaseWork<T>& part : work) {
            if (first_row < part.phase.rows) run_band(used, part, buffer, biases, to, first_row);
        }
        if (!done) return;
        done(index, first_row, std::min(used.band, used.out_height - first_row),
             to + first_row * used.out_width * used.out_channels);
    });
}

template void conv_gather(const ConvPlan&, const float*, const ConvWeights<float>&, const float*, float*,
                          const BandDone<float>&);
template void conv_gather(const ConvPlan&, const double*, const ConvWeights<double>&, const double*, double*,
                          const BandDone<double>&);

}  // namespace nativegrad::cpu
