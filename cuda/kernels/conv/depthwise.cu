#include "kernels/conv/depthwise.h"

#include <optional>

#include "device/device.h"
#include "kernels/conv/images.h"
#include "kernels/packs.h"
#include "kernels/product/device_limits.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

constexpr int depthwise_threads = 256;
constexpr int64_t most_weights = 8192;

// The image's axes, channels last and dense, and those of the pixels that are made.
struct Depthwise {
    ImageOperand image;  // at() is not used: the channels are those of the lane
    Divisor rows, columns, packs;
    int64_t elements;  // packs of eight channels of all pixels
    int32_t channels, kernel_rows, kernel_columns;
};

// image [N, h, w, C], w [C, 1, kH, kW] -> finish [pixels, C]
__device__ __forceinline__ void depthwise_product(const Depthwise& conv, const TensorView& w,
                                                  const Finish& finish) {
    SharedArena arena;
    const int taps = conv.kernel_rows * conv.kernel_columns;
    float* weights = arena.take<float>(static_cast<size_t>(taps * conv.channels));
    for (int i = thread_index(); i < taps * conv.channels; i += depthwise_threads) {
        const int tap = i / conv.channels, channel = i - tap * conv.channels;
        const int row = tap / conv.kernel_columns, column = tap - row * conv.kernel_columns;
        weights[i] = load_as<float>(Source{w.data, w.dtype, 0},
                                    channel * w.strides[0] + row * w.strides[2] + column * w.strides[3]);
    }
    block_barrier();
    const ImageOperand& image = conv.image;
#pragma unroll 1
    for (int64_t i = grid_thread_index(); i < conv.elements; i += grid_thread_count()) {
        const int64_t pixel = conv.packs.quotient(i);
        const int channel = static_cast<int>(i - pixel * conv.packs.divisor) * row_pack;
        const int64_t line = conv.columns.quotient(pixel), x = pixel - line * conv.columns.divisor;
        const int64_t picture = conv.rows.quotient(line), y = line - picture * conv.rows.divisor;
        float sums[row_pack] = {};
        for (int row = 0; row < conv.kernel_rows; ++row) {
            const int64_t from_row = image.source(0, y, row, image.height);
            if (from_row < 0) continue;
            for (int column = 0; column < conv.kernel_columns; ++column) {
                const int64_t from_column = image.source(1, x, column, image.width);
                if (from_column < 0) continue;
                float values[row_pack];
                load_row_pack(image.data, image.dtype,
                              picture * image.strides[0] + from_row * image.strides[2] +
                                  from_column * image.strides[3] + channel,
                              values);
                const float* weight =
                    weights + (row * conv.kernel_columns + column) * conv.channels + channel;
#pragma unroll
                for (int c = 0; c < row_pack; ++c) sums[c] = fma(values[c], weight[c], sums[c]);
            }
        }
        const int64_t at = pixel * finish.row_stride + channel;
        float other[row_pack] = {};
        if (finish.kind == FinishKind::relu_backward) load_row_pack(finish.other, finish.dtype, at, other);
#pragma unroll
        for (int c = 0; c < row_pack; ++c) {
            if (finish.has_bias) sums[c] += load_as<float>(finish.bias, (channel + c) * finish.bias_stride);
            sums[c] = rounded_to(finish.rounds, sums[c]);
            if (finish.kind == FinishKind::relu && sums[c] <= 0.0f) sums[c] = 0;
            if (finish.kind == FinishKind::relu_backward && other[c] <= 0.0f) sums[c] = 0;
        }
        store_row_pack(finish.out, finish.dtype, at, sums);
    }
}

bool ends_depthwise(const Finish& finish) {
    const bool known = finish.kind == FinishKind::store || finish.kind == FinishKind::relu ||
                       (finish.kind == FinishKind::relu_backward && is_aligned(finish.other, 16));
    return known && finish.sums == nullptr && finish.column_stride == 1 &&
           finish.row_stride % row_pack == 0 && is_aligned(finish.out, 16);
}

}  // namespace

bool convolve_depthwise(const ConvShape& shape, const TensorView& given, bool backward, const TensorView& w,
                        const Finish& finish, Queue& queue) {
    if (shape.groups != shape.channels || shape.groups != shape.out_channels) return false;
    if (shape.channels % row_pack != 0 || shape.taps() * shape.channels > most_weights) return false;
    if (given.dtype != finish.dtype || compute_class(given.dtype) != ComputeClass::f32 ||
        !is_float(given.dtype))
        return false;
    const size_t bytes = shared_bytes<float>(static_cast<size_t>(shape.taps() * shape.channels));
    if (!ends_depthwise(finish)) return false;
    const DenseImages dense(given, queue, chunk_alignment);
    Depthwise conv{};
    conv.image =
        backward ? backward_operand(shape, dense.view()) : forward_operand(shape, dense.view(), false);
    conv.rows = conv.image.pixel_rows;
    conv.columns = conv.image.pixel_columns;
    conv.channels = static_cast<int32_t>(shape.channels);
    conv.packs = Divisor(shape.channels / row_pack);
    conv.elements = conv.image.pixels * (shape.channels / row_pack);
    conv.kernel_rows = static_cast<int32_t>(shape.kernel_rows);
    conv.kernel_columns = static_cast<int32_t>(shape.kernel_columns);
    constexpr int64_t most_blocks = 1056;  // eight on each of an H100's multiprocessors
    const int64_t blocks = blocks_for(conv.elements, depthwise_threads);
    launch_batched<depthwise_product, depthwise_threads, 2>(
        Grid{blocks < most_blocks ? blocks : most_blocks, depthwise_threads, bytes}, queue.stream(), conv, w,
        finish);
    return true;
}

}  // namespace nativegrad::cuda
