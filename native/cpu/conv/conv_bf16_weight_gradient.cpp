#include <algorithm>
#include <vector>

#include "cpu/conv/conv_bf16.h"
#include "cpu/conv/gradient_slices.h"
#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t most_rows = conv_bf16_most_rows;
constexpr int64_t most_slices = 16, most_together = 4;
constexpr int64_t partial_elements = int64_t{1} << 23;  // of all slices together

// total[j] += sum over rows of x[r * n + j], in float for short stretches, then in double
void add_rows(const BFloat16* x, int64_t rows, int64_t n, double* total) {
    constexpr int64_t stretch = 64;
    WorkBuffer<float> wide(stretch * n), partial(n);
    for (int64_t r = 0; r < rows; r += stretch) {
        const int64_t count = std::min(stretch, rows - r);
        kernels().convert.bf16_to_f32(x + r * n, wide.data(), count * n);
        std::fill_n(partial.data(), n, 0.0f);
        kernels().reduce.add_rows(wide.data(), n, count, partial.data(), n);
        for (int64_t j = 0; j < n; ++j) total[j] += static_cast<double>(partial.data()[j]);
    }
}

// The images (cut into bands, or several to a unit where a band is a whole one) in slices of fixed size. Each
// slice sums its own dw, as [group][tap, channel in][channel out], in pairs of neighbouring pixels of dy.
class SliceGradient {
  public:
    SliceGradient(const ConvPlan& plan, const BFloat16* x, const BFloat16* dy)
        : plan_(plan), phase_(plan.phases[0]), x_(x), dy_(dy), nr_(kernels().conv_bf16.nr) {
        together_ =
            plan.bands() == 1 ? std::clamp<int64_t>(plan.images / (2 * most_slices), 1, most_together) : 1;
        units = (plan.images + together_ - 1) / together_ * plan.bands();
        matrix_rows_ = static_cast<int64_t>(phase_.taps.size()) * plan.group_channels();
        size = plan.groups * matrix_rows_ * plan.group_out_channels();
        const int64_t affordable = partial_elements / std::max<int64_t>(size, 1);
        slices = std::min(units, std::clamp<int64_t>(affordable, 1, most_slices));
        panels_ = (plan.group_out_channels() + nr_ - 1) / nr_;
        steps_ = (phase_.columns + 1) / 2;
        for (const ConvTap& tap : phase_.taps) {
            for (int64_t c = 0; c < plan.group_channels(); ++c)
                row_offsets_.push_back(2 * ((tap.row * plan.padded_width + tap.column) * plan.channels + c));
        }
    }

    // dw: the slice's own [size]; bias: its own [O], or null
    void run(int64_t slice, float* dw, double* bias) const {
        const int64_t first = slice * units / slices, end = (slice + 1) * units / slices;
        WorkBuffer<BFloat16> padded(padded_size()), pairs(2 * together_ * padded_size());
        WorkBuffer<BFloat16> gradients(together_ * plan_.band * gradient_row());
        for (int64_t unit = first; unit < end; ++unit) {
            const int64_t image = unit / plan_.bands() * together_, row = unit % plan_.bands() * plan_.band;
            const int64_t images = std::min(together_, plan_.images - image);
            const int64_t rows = std::min(plan_.band, phase_.rows - row);
            for (int64_t i = 0; i < images; ++i) {
                load_padded(plan_, x_ + (image + i) * plan_.height * plan_.width * plan_.channels,
                            row * plan_.in_step[0], plan_.band_rows(), padded.data());
                pair_pixels(padded.data(), pairs.data() + 2 * i * padded_size());
            }
            const BFloat16* dy =
                dy_ + (image * plan_.out_height + row) * plan_.out_width * plan_.out_channels;
            if (bias != nullptr) add_rows(dy, images * rows * phase_.columns, plan_.out_channels, bias);
            for (int64_t group = 0; group < plan_.groups; ++group)
                add_band(group, pairs.data(), dy, images, rows, gradients.data(), dw, unit > first);
        }
    }

    int64_t units, size, slices;

  private:
    int64_t padded_size() const { return plan_.band_rows() * plan_.padded_width * plan_.channels; }
    int64_t gradient_row() const { return steps_ * panels_ * nr_ * 2; }

    // [rows, pixels, C] -> [rows, pixels, C, 2]: each pixel with the one that the next pixel of dy meets
    void pair_pixels(const BFloat16* from, BFloat16* to) const {
        const int64_t line = plan_.padded_width * plan_.channels;
        const int64_t gap = std::min(line, plan_.in_step[1] * plan_.channels);
        for (int64_t r = 0; r < plan_.band_rows(); ++r, from += line, to += 2 * line) {
            const auto pack = kernels().gemm_bf16.pack_pairs;
            if (gap < line) pack(from, 1, gap, line - gap, 2, to, line);
            // No pair begins at the last pixels; a single one may.
            pack(from + line - gap, 1, gap, gap, 1, to + 2 * (line - gap), line);
        }
    }

    void add_band(int64_t group, const BFloat16* pairs, const BFloat16* dy, int64_t images, int64_t rows,
                  BFloat16* gradients, float* dw, bool accumulate) const {
        const ConvBf16Kernels& micro = kernels().conv_bf16;
        const int64_t outs = plan_.group_out_channels(), lanes = panels_ * nr_;
        std::vector<int64_t> runs;
        for (int64_t i = 0; i < images; ++i) {
            for (int64_t r = 0; r < rows; ++r) {
                runs.push_back(
                    2 * (i * padded_size() + r * plan_.in_step[0] * plan_.padded_width * plan_.channels));
            }
        }
        for (int64_t r = 0; r < images * rows; ++r) {
            kernels().gemm_bf16.pack_pairs(dy + r * phase_.columns * plan_.out_channels + group * outs, 1,
                                           plan_.out_channels, outs, phase_.columns,
                                           gradients + r * gradient_row(), lanes);
        }
        ConvBf16Tile tile{};
        tile.run_offsets = runs.data();
        tile.runs = images * rows;
        tile.pairs = phase_.columns / 2;
        tile.single = phase_.columns % 2 != 0;
        tile.pair_step = 4 * plan_.in_step[1] * plan_.channels;
        tile.b_step = 2 * lanes;
        tile.accumulate = accumulate;
        const BFloat16* image = pairs + 2 * group * plan_.group_channels();
        float* out = dw + group * matrix_rows_ * outs;
        for (int64_t panel = 0; panel < panels_; ++panel) {
            tile.b = gradients + 2 * panel * nr_;
            tile.cols = std::min(nr_, outs - panel * nr_);
            for (int64_t start = 0; start < matrix_rows_; start += most_rows) {
                tile.row_count = std::min(most_rows, matrix_rows_ - start);
                for (int64_t i = 0; i < tile.row_count; ++i) {
                    tile.rows[i] = image + row_offsets_[static_cast<size_t>(start + i)];
                    tile.out[i] = out + (start + i) * outs + panel * nr_;
                }
                tile.row_step = tile.row_count > 1 ? even_step(tile.rows, tile.row_count) : 0;
                micro.run[tile.row_count](tile);
            }
        }
    }

    const ConvPlan& plan_;
    const ConvPhase& phase_;
    const BFloat16 *x_, *dy_;
    int64_t nr_, matrix_rows_, panels_, steps_, together_;
    std::vector<int64_t> row_offsets_;
};

}  // namespace

void conv_weight_gradient_bf16(const ConvPlan& plan, const BFloat16* x, const BFloat16* dy, float* dw,
                               float* dbias) {
    const SliceGradient gradient(plan, x, dy);
    if (gradient.units == 0 || gradient.size == 0) {
        std::fill(dw, dw + gradient.size, 0.0f);
        if (dbias != nullptr) std::fill(dbias, dbias + plan.out_channels, 0.0f);
        return;
    }
    sum_slices<float>(gradient, plan.out_channels, dbias,
                      [&](const float* sums) { write_row_major(plan, sums, dw); });
}

}  // namespace nativegrad::cpu
