#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/ops/dense_images.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

// For each position of the output along one axis: which positions of the input it reads, with what weights.
// Where all weights of a position are equal, they are taken out of the sum, so that averages stay exact.
struct AxisTable {
    std::vector<int64_t> first, position;  // taps of output o: [first[o], first[o + 1])
    std::vector<double> weight, scale;

    AxisTable(const TensorView& index, const TensorView& weights, int64_t outputs, int64_t inputs) {
        if (index.rank != 2 || weights.rank != 2 || index.shape[0] != outputs ||
            weights.shape[0] != outputs || index.shape[1] != weights.shape[1] ||
            index.dtype != DType::int32 || weights.dtype != DType::float64)
            fail("a table of taps has the wrong shape or dtype");
        for (int64_t o = 0; o < outputs; ++o) {
            first.push_back(static_cast<int64_t>(position.size()));
            for (int64_t k = 0; k < index.shape[1]; ++k) {
                int32_t at;
                double share;
                std::memcpy(&at, element(index, o * index.strides[0] + k * index.strides[1]), sizeof at);
                std::memcpy(&share, element(weights, o * weights.strides[0] + k * weights.strides[1]),
                            sizeof share);
                if (at < 0) continue;
                if (at >= inputs) fail("a tap lies outside the image");
                position.push_back(at);
                weight.push_back(share);
            }
            take_out(static_cast<size_t>(first.back()));
        }
        first.push_back(static_cast<int64_t>(position.size()));
    }

  private:
    void take_out(size_t begin) {
        const bool equal =
            begin < weight.size() && std::all_of(weight.begin() + static_cast<int64_t>(begin), weight.end(),
                                                 [&](double value) { return value == weight[begin]; });
        scale.push_back(equal ? weight[begin] : 1.0);
        if (equal) std::fill(weight.begin() + static_cast<int64_t>(begin), weight.end(), 1.0);
    }
};

// One row of output [W', C] from the image [H, W, C].
template <class T>
void resample_row(const AxisTable& rows, const AxisTable& columns, const T* image, int64_t out_row,
                  int64_t out_width, int64_t width, int64_t channels, T* out) {
    std::fill_n(out, out_width * channels, T(0));
    for (int64_t column = 0; column < out_width; ++column, out += channels) {
        for (int64_t r = rows.first[static_cast<size_t>(out_row)];
             r < rows.first[static_cast<size_t>(out_row) + 1]; ++r) {
            for (int64_t c = columns.first[static_cast<size_t>(column)];
                 c < columns.first[static_cast<size_t>(column) + 1]; ++c) {
                const T share = static_cast<T>(rows.weight[static_cast<size_t>(r)] *
                                               columns.weight[static_cast<size_t>(c)]);
                const T* from = image + (rows.position[static_cast<size_t>(r)] * width +
                                         columns.position[static_cast<size_t>(c)]) *
                                            channels;
                for (int64_t i = 0; i < channels; ++i) out[i] += share * from[i];
            }
        }
        const T scale = static_cast<T>(rows.scale[static_cast<size_t>(out_row)] *
                                       columns.scale[static_cast<size_t>(column)]);
        for (int64_t i = 0; i < channels; ++i) out[i] *= scale;
    }
}

}  // namespace

// x [N, C, H, W], row index int32 [H', R], row weight float64 [H', R], column index [W', S], column weight
// [W', S] -> y [N, C, H', W'] = sum over r, s of row weight * column weight * x[row index, column index];
// a negative index stands for no tap
void resample2d(const OpCall& call, const NoParams&) {
    expect_operands(call, 5, 1);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.rank != 4 || y.rank != 4 || x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1])
        fail("batch or channels differ");
    const int64_t channels = x.shape[1], height = x.shape[2], width = x.shape[3];
    const int64_t out_height = y.shape[2], out_width = y.shape[3];
    const AxisTable rows(call.inputs[1], call.inputs[2], out_height, height);
    const AxisTable columns(call.inputs[3], call.inputs[4], out_width, width);
    if (element_count(y) == 0) return;
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseInput<T> image(x);
        const DenseOutput<T> out(y);
        parallel_for(x.shape[0] * out_height, [&](int64_t task) {
            const int64_t n = task / out_height;
            resample_row(rows, columns, image.data() + n * height * width * channels, task % out_height,
                         out_width, width, channels, out.data() + task * out_width * channels);
        });
        out.finish();
    });
}

}  // namespace nativegrad::cpu
