#include <algorithm>
#include <optional>
#include <vector>

#include "cpu/conv/conv.h"
#include "cpu/conv/conv_kernel_choice.h"
#include "cpu/conv/depthwise.h"
#include "cpu/conv/gradient_slices.h"
#include "cpu/conv/winograd.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t most_slices = 16, most_together = 4;
constexpr int64_t partial_elements = int64_t{1} << 23;  // of all slices together

// The images (cut into bands) in slices of fixed size. Each slice sums its own dw, as [group][tap, channel
// in] [channel out], one pixel after the other.
template <class T>
class SliceGradient {
  public:
    SliceGradient(const ConvPlan& plan, const T* x, const T* dy)
        : plan_(plan), phase_(plan.phases[0]), x_(x), dy_(dy), micro_(conv_micro<T>()) {
        // Several images to a unit, where a band is a whole one: dw is read and written once per unit.
        together_ =
            plan.bands() == 1 ? std::clamp<int64_t>(plan.images / (2 * most_slices), 1, most_together) : 1;
        units = (plan.images + together_ - 1) / together_ * plan.bands();
        matrix_rows_ = static_cast<int64_t>(phase_.taps.size()) * plan.group_channels();
        size = plan.groups * matrix_rows_ * plan.group_out_channels();
        const int64_t affordable = partial_elements / std::max<int64_t>(size, 1);
        slices = std::min(units, std::clamp<int64_t>(affordable, 1, most_slices));
        panels_ = (plan.group_out_channels() + micro_.nr - 1) / micro_.nr;
        in_place_ = plan.group_out_channels() % micro_.nr == 0;
        for (const ConvTap& tap : phase_.taps) {
            for (int64_t c = 0; c < plan.group_channels(); ++c)
                row_offsets_.push_back((tap.row * plan.padded_width + tap.column) * plan.channels + c);
        }
    }

    // dw: the slice's own [size]; bias: its own [O], or null
    void run(int64_t slice, T* dw, double* bias) const {
        const int64_t first = slice * units / slices, end = (slice + 1) * units / slices;
        WorkBuffer<T> padded(together_ * padded_size());
        WorkBuffer<T> panels(in_place_ ? 0 : together_ * plan_.band * phase_.columns * panels_ * micro_.nr);
        for (int64_t unit = first; unit < end; ++unit) {
            const int64_t image = unit / plan_.bands() * together_, row = unit % plan_.bands() * plan_.band;
            const int64_t images = std::min(together_, plan_.images - image);
            const int64_t rows = std::min(plan_.band, phase_.rows - row);
            for (int64_t i = 0; i < images; ++i) {
                load_padded(plan_, x_ + (image + i) * plan_.height * plan_.width * plan_.channels,
                            row * plan_.in_step[0], plan_.band_rows(), padded.data() + i * padded_size());
            }
            const T* dy = dy_ + (image * plan_.out_height + row) * plan_.out_width * plan_.out_channels;
            if (bias != nullptr)
                add_rows(dy, plan_.out_channels, images * rows * phase_.columns, plan_.out_channels, bias);
            for (int64_t group = 0; group < plan_.groups; ++group)
                add_band(group, padded.data(), dy, images, rows, panels.data(), dw, unit > first);
        }
    }

    int64_t units, size, slices;

  private:
    int64_t padded_size() const { return plan_.band_rows() * plan_.padded_width * plan_.channels; }

    void add_band(int64_t group, const T* padded, const T* dy, int64_t images, int64_t rows, T* panels, T* dw,
                  bool accumulate) const {
        const int64_t outs = plan_.group_out_channels();
        std::vector<int64_t> runs;
        for (int64_t i = 0; i < images; ++i) {
            for (int64_t r = 0; r < rows; ++r) {
                runs.push_back(i * padded_size() +
                               r * plan_.in_step[0] * plan_.padded_width * plan_.channels);
            }
        }
        const T* b = dy + group * outs;
        int64_t b_step = plan_.out_channels;
        if (!in_place_) {
            b_step = panels_ * micro_.nr;
            for (int64_t p = 0; p < images * rows * phase_.columns; ++p) {
                std::copy_n(b + p * plan_.out_channels, outs, panels + p * b_step);
                std::fill(panels + p * b_step + outs, panels + (p + 1) * b_step, T(0));
            }
            b = panels;
        }
        ConvTile<T> tile;
        tile.run_offsets = runs.data();
        tile.runs = images * rows;
        tile.run_length = phase_.columns;
        tile.run_step = plan_.in_step[1] * plan_.channels;
        tile.b_step = b_step;
        tile.bias = nullptr;
        tile.accumulate = accumulate;
        const T* image = padded + group * plan_.group_channels();
        T* out = dw + group * matrix_rows_ * outs;
        for (int64_t panel = 0; panel < panels_; ++panel) {
            tile.b = b + panel * micro_.nr;
            tile.cols = std::min(micro_.nr, outs - panel * micro_.nr);
            for (int64_t start = 0; start < matrix_rows_; start += micro_.mr) {
                tile.row_count = std::min(micro_.mr, matrix_rows_ - start);
                for (int64_t i = 0; i < tile.row_count; ++i) {
                    const int64_t row = start + i;
                    tile.rows[i] = image + row_offsets_[static_cast<size_t>(row)];
                    tile.out[i] = out + row * outs + panel * micro_.nr;
                }
                tile.row_step = even_step(tile.rows, tile.row_count);
                micro_.run(tile);
            }
        }
    }

    const ConvPlan& plan_;
    const ConvPhase& phase_;
    const T *x_, *dy_;
    const ConvMicroKernel<T>& micro_;
    int64_t matrix_rows_, panels_, together_;
    bool in_place_;
    std::vector<int64_t> row_offsets_;
};

}  // namespace

template <class T>
void conv_weight_gradient(const ConvPlan& plan, const T* x, const T* dy, T* dw, T* dbias) {
    if constexpr (std::is_same_v<T, float>) {
        if (takes_winograd(plan)) return winograd_weight_gradient(plan, x, dy, dw, dbias);
        if (is_depthwise(plan)) return depthwise_weight_gradient(plan, x, dy, dw, dbias);
    }
    const SliceGradient<T> gradient(plan, x, dy);
    if (gradient.units == 0 || gradient.size == 0) {
        std::fill(dw, dw + gradient.size, T(0));
        if (dbias != nullptr) std::fill(dbias, dbias + plan.out_channels, T(0));
        return;
    }
    sum_slices<T>(gradient, plan.out_channels, dbias,
                  [&](const T* sums) { write_row_major(plan, sums, dw); });
}

template void conv_weight_gradient(const ConvPlan&, const float*, const float*, float*, float*);
template void conv_weight_gradient(const ConvPlan&, const double*, const double*, double*, double*);

}  // namespace nativegrad::cpu
