#include <algorithm>
#include <vector>

#include "cpu/conv/gradient_slices.h"
#include "cpu/conv/winograd.h"
#include "cpu/conv/winograd_pieces.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t most_slices = 16, pieces_together = 100;
constexpr int64_t partial_elements = int64_t{1} << 23;  // of all slices together

constexpr int64_t lanes = winograd_channels;

// G^T of rows of `lanes` numbers each: four of them at `step` -> three at `to_step`
void gather_four(const float (*u)[lanes], int64_t step, float (*to)[lanes], int64_t to_step) {
    for (int64_t i = 0; i < lanes; ++i) {
        const float first = u[step][i], second = u[2 * step][i], sum = 0.5f * (first + second);
        const float last = u[3 * step][i];
        to[0][i] = u[0][i] + sum;
        to[to_step][i] = 0.5f * (first - second);
        to[2 * to_step][i] = last + sum;
    }
}

// from [16][channel in][channel out] -> dw [O, C, 3, 3]: G^T u G
void transform_back(const ConvPlan& plan, const float* from, float* dw) {
    const int64_t ins = plan.channels, outs = plan.out_channels;
    parallel_for(ins * outs / lanes, [&](int64_t task) {
        const int64_t c = task % ins, first = task / ins * lanes;
        float u[winograd_elements][lanes], rows[12][lanes], all[9][lanes];
        for (int64_t e = 0; e < winograd_elements; ++e)
            std::copy_n(from + (e * ins + c) * outs + first, lanes, u[e]);
        for (int64_t j = 0; j < 4; ++j) gather_four(u + j, 4, rows + j, 4);
        for (int64_t i = 0; i < 3; ++i) gather_four(rows + 4 * i, 1, all + 3 * i, 1);
        for (int64_t o = 0; o < lanes; ++o) {
            float* to = dw + ((first + o) * ins + c) * 9;
            for (int64_t k = 0; k < 9; ++k) to[k] = all[k][o];
        }
    });
}

// The rows of pieces of all images in slices of nearly equal length, each of which sums the gradient of its
// own products.
class PieceGradient {
  public:
    PieceGradient(const ConvPlan& plan, const float* x, const float* dy)
        : plan_(plan), pieces_(plan), x_(x), dy_(dy), down_(divide_up(plan.out_height, 2)) {
        together_ = std::max<int64_t>(pieces_together / pieces_.across, 1);
        size = winograd_elements * plan.channels * plan.out_channels;
        const int64_t affordable = std::clamp<int64_t>(partial_elements / size, 1, most_slices);
        slices = std::min(affordable, divide_up(plan.images * down_, together_));
    }

    // sums: the slice's own [size]; bias: its own [O], or null
    void run(int64_t slice, float* sums, double* bias) const {
        const Range range = part_of(plan_.images * down_, slices, slice);
        const int64_t most = together_ * pieces_.across, ins = plan_.channels, outs = plan_.out_channels;
        WorkBuffer<float> x(winograd_elements * most * ins), dy(winograd_elements * most * outs);
        for (int64_t start = range.begin; start < range.end; start += together_) {
            const Range rows{start, std::min(range.end, start + together_)};
            load(rows, x.data(), dy.data(), bias);
            const int64_t count = rows.size() * pieces_.across;
            for (int64_t e = 0; e < winograd_elements; ++e) {
                multiply_element(ins, outs, count, x.data() + e * count * ins, 1, ins,
                                 dy.data() + e * count * outs, sums + e * ins * outs, start > range.begin);
            }
        }
    }

    int64_t size, slices;

  private:
    void load(Range rows, float* x, float* dy, double* bias) const {
        const int64_t ins = plan_.channels, outs = plan_.out_channels, count = rows.size() * pieces_.across;
        for (int64_t i = 0; i < rows.size(); ++i) {
            const int64_t image = (rows.begin + i) / down_, row = (rows.begin + i) % down_ * 2;
            const float* of_image = dy_ + image * plan_.out_height * plan_.out_width * outs;
            pieces_.load(x_ + image * plan_.height * plan_.width * ins, row, 1, x + i * pieces_.across * ins,
                         count * ins);
            pieces_.load_gradient(of_image, row, 1, dy + i * pieces_.across * outs, count * outs);
            if (bias == nullptr) continue;
            add_rows(of_image + row * plan_.out_width * outs, outs,
                     std::min<int64_t>(2, plan_.out_height - row) * plan_.out_width, outs, bias);
        }
    }

    const ConvPlan& plan_;
    WinogradPieces pieces_;
    const float *x_, *dy_;
    int64_t down_, together_;
};

}  // namespace

void winograd_weight_gradient(const ConvPlan& plan, const float* x, const float* dy, float* dw,
                              float* dbias) {
    if (plan.images == 0) {
        std::fill_n(dw, plan.channels * plan.out_channels * 9, 0.0f);
        if (dbias != nullptr) std::fill_n(dbias, plan.out_channels, 0.0f);
        return;
    }
    const PieceGradient gradient(plan, x, dy);
    sum_slices<float>(gradient, plan.out_channels, dbias,
                      [&](const float* sums) { transform_back(plan, sums, dw); });
}

}  // namespace nativegrad::cpu
