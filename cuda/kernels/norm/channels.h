// What the ops around batch normalisation share. Images lie as [rows, C] with the channels fastest; T is the
// type of the computation (float, double).
#pragma once

#include "backend/queue.h"
#include "kernels/dense.h"
#include "kernels/norm/products.h"
#include "kernels/packs.h"
#include "ops/op_params.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

template <class T>
constexpr DType dtype_of = std::is_same_v<T, float> ? DType::float32 : DType::float64;

// One value per channel, as a kernel reads or writes it.
struct VectorIn {
    Source source;
    int64_t stride;

    static VectorIn of(const TensorView& view) { return {source_of(view), view.strides[0]}; }
    static VectorIn all(double value) { return {{nullptr, DType::float64, value}, 0}; }
    template <class T>
    __device__ __forceinline__ T at(int64_t channel) const {
        return load_as<T>(source, channel * stride);
    }
};
struct VectorOut {
    void* data;
    DType dtype;
    int64_t stride;

    static VectorOut of(const TensorView& view) { return {view.data, view.dtype, view.strides[0]}; }
    __device__ __forceinline__ void set(int64_t channel, double value) const {
        store_as(data, dtype, channel * stride, value);
    }
    __device__ __forceinline__ double get(int64_t channel) const {
        return load_as<double>({data, dtype, 0}, channel * stride);
    }
};

// Windows of 2 x 2 pixels. An odd last row or column of pixels is in none.
struct Windows {
    int64_t rows, width, pooled_rows, pooled_width;

    // The first pixel of window `at`.
    __device__ __forceinline__ int64_t pixel(int64_t at) const {
        const int64_t strip = at / pooled_width, column = at - strip * pooled_width;
        const int64_t image = strip / pooled_rows, row = strip - image * pooled_rows;
        return (image * rows + 2 * row) * width + 2 * column;
    }
    __device__ __forceinline__ int64_t tap(int k) const { return k / 2 * width + k % 2; }
    // The window of a pixel and which of its four it is; -1 where it is in none.
    __device__ __forceinline__ int64_t window(int64_t pixel, int& k) const {
        const int64_t line = pixel / width, column = pixel - line * width;
        const int64_t image = line / rows, row = line - image * rows;
        k = static_cast<int>(row % 2 * 2 + column % 2);
        if (row / 2 >= pooled_rows || column / 2 >= pooled_width) return -1;
        return (image * pooled_rows + row / 2) * pooled_width + column / 2;
    }
};

// Where the gradient of the normalised x comes from: dy itself, dy where y is above 0, or dy of the window
// whose largest element this was.
struct GradientFrom {
    Source dy, y;          // y without data: every dy counts
    const uint8_t* index;  // null: dy lies as x
    Windows windows;

    template <class T>
    __device__ __forceinline__ T masked(int64_t at) const {
        return load_as<T>(y, at) <= T(0) ? T(0) : load_as<T>(dy, at);
    }
};

inline void check_channels(const TensorView& x) {
    if (x.rank < 2) fail("needs an input [N, C, ...], got rank %d", x.rank);
}

inline void check_vectors(const TensorView* views, int32_t count, int64_t channels) {
    for (int32_t i = 0; i < count; ++i) {
        if (views[i].rank != 1 || views[i].shape[0] != channels)
            fail("expected one value for each of %lld channels", static_cast<long long>(channels));
    }
}

inline void check_same_shape(const TensorView& a, const TensorView& b) {
    bool same = a.rank == b.rank;
    for (int32_t axis = 0; same && axis < a.rank; ++axis) same = a.shape[axis] == b.shape[axis];
    if (!same) fail("expected operands of one shape");
}

// True where packs of neighbouring channels lie in aligned memory of T's class.
template <class T>
bool channels_have_packs(int64_t channels, const Source& source) {
    return channels % row_pack == 0 &&
           (source.data == nullptr || (packs_as<T>(source.dtype) && is_aligned(source.data, 16)));
}

// The operands that all forms of the op share, behind x among the inputs and behind `results` among the
// outputs. training 2: mean [C] and the sum of squares around it [C] are given, and count as the batch's.
struct NormCall {
    const OpCall& call;
    const BatchNormParams& params;
    bool training, affine, given, tracks;
    int32_t results;
    int64_t channels, rows;

    NormCall(const OpCall& c, const BatchNormParams& p, int32_t own_results)
        : call(c),
          params(p),
          training(p.training != 0),
          affine(p.affine != 0),
          given(p.training != 1),
          tracks(training && c.output_count == own_results + 4),
          results(own_results) {
        expect_operands(call, 1 + (affine ? 2 : 0) + (given ? 2 : 0), results + (tracks ? 4 : 2));
        check_channels(call.inputs[0]);
        channels = call.inputs[0].shape[1];
        rows = channels == 0 ? 0 : element_count(call.inputs[0]) / channels;
        check_vectors(call.inputs + 1, call.input_count - 1, channels);
        check_vectors(call.outputs + results, call.output_count - results, channels);
    }
};

// The statistics of x (channels last), written to the outputs, and -> factors [3, C]: mean, scale, shift of
// y = (x - mean) scale + shift.
template <class T>
void batch_statistics(const NormCall& norm, const TensorView& x, T* factors, Queue& queue);

// sums [C, pieces] of the gradient and of its product with x - mean -> dweight, dbias (outputs 1 and 2), and
// factors [4, C]: mean, sum, product, scale of dx = (g - sum - (x - mean) product) scale.
template <class T>
void backward_factors(const OpCall& call, int32_t vectors, const BatchNormParams& params, int64_t rows,
                      const ColumnSums* sums, const ColumnPieces& plan, T* factors, Queue& queue);

// What the backward of every form does after its checks. `gradients`: rows of dy.
template <class T>
void normalize_backward(const OpCall& call, int32_t vectors, const BatchNormParams& params,
                        const GradientFrom& from, int64_t gradients, const TensorView& x,
                        const TensorView& dx, Queue& queue);

}  // namespace nativegrad::cuda
