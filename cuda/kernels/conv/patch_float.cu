#include "kernels/conv/patch_float.h"

#include "kernels/conv/images.h"
#include "kernels/conv/patch.h"
#include "kernels/conv/patch_choice.h"
#include "kernels/product/device_limits.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// A block has 128 pixels and 32 channels, a lane four pixels and eight channels.
constexpr int float_threads = 128, float_pixels = 128, float_columns = 32, float_pitch = patch_channels + 4;
constexpr int pixels_each = 4, columns_each = 8, column_lanes = float_columns / columns_each;
constexpr int64_t most_resident = 3;

struct FloatProduct {
    PatchGeometry geometry;
    const float* weights;  // [groups, columns, taps, channels]
    int32_t columns, column_blocks, chunks, patch_places;
    int64_t image_group;
};

// weights of 32 channels from first_column -> kept [taps, chunks * patch_channels, float_pitch]
__device__ __forceinline__ void load_float_weights(float* kept, const FloatProduct& product,
                                                   const float* weights, int first_column) {
    const int taps = product.geometry.taps(), channels = product.geometry.channels;
    const int depth = product.chunks * patch_channels;
    for (int i = thread_index(); i < float_columns * taps * depth; i += float_threads) {
        const int line = i / depth, channel = i - line * depth, column = line / taps,
                  tap = line - column * taps;
        const bool valid = first_column + column < product.columns && channel < channels;
        const int64_t from = (int64_t{first_column + column} * taps + tap) * channels + channel;
        async_copy_or_zero<4>(kept + (tap * depth + channel) * float_pitch + column,
                              valid ? weights + from : weights, valid);
    }
}

// sums += a patch times a chunk of the weights; places: of the lane's pixels, in floats
__device__ __forceinline__ void multiply_floats(const float* patch, const float* kept,
                                                const FloatProduct& product, const int (&places)[pixels_each],
                                                float (&sums)[pixels_each][columns_each]) {
    const PatchGeometry& geometry = product.geometry;
    const int next_tap = product.chunks * patch_channels * float_pitch;
#pragma unroll 1
    for (int row = 0; row < geometry.kernel_rows; ++row) {
        const float* left = patch + (geometry.first_tap + row * geometry.row_step) * float_pitch;
#pragma unroll 1
        for (int column = 0; column < geometry.kernel_columns; ++column) {
#pragma unroll 2
            for (int k = 0; k < patch_channels; k += 4) {
                Pack<float, 4> x[pixels_each];
#pragma unroll
                for (int q = 0; q < pixels_each; ++q) x[q] = load_pack<4>(left + places[q] + k);
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    const Pack<float, 4> low = load_pack<4>(kept + (k + e) * float_pitch);
                    const Pack<float, 4> high = load_pack<4>(kept + (k + e) * float_pitch + 4);
#pragma unroll
                    for (int q = 0; q < pixels_each; ++q) {
#pragma unroll
                        for (int c = 0; c < 4; ++c) {
                            sums[q][c] = fma(x[q][e], low[c], sums[q][c]);
                            sums[q][4 + c] = fma(x[q][e], high[c], sums[q][4 + c]);
                        }
                    }
                }
            }
            left += geometry.column_step * float_pitch;
            kept += next_tap;
        }
    }
}

// Four neighbouring channels of a pixel, finished.
__device__ __forceinline__ void store_four(const Finish& finish, int64_t at, Pack<float, 4> values) {
    if (finish.kind == FinishKind::relu) {
#pragma unroll
        for (int c = 0; c < 4; ++c) values[c] = values[c] <= 0.0f ? 0.0f : values[c];
    } else if (finish.kind == FinishKind::relu_backward) {
        const Pack<float, 4> other = load_pack<4>(static_cast<const float*>(finish.other) + at);
#pragma unroll
        for (int c = 0; c < 4; ++c) values[c] = other[c] <= 0.0f ? 0.0f : values[c];
    }
    store_pack(static_cast<float*>(finish.out) + at, values);
}

// image [pixels; taps, channels] times weights [groups, columns, taps, channels] -> finish [pixels, groups *
// columns]; blocks (walkers over tiles, column blocks of groups)
__device__ __forceinline__ void float_product(const FloatProduct& product, const Finish& finish) {
    const PatchGeometry& geometry = product.geometry;
    const int group = block_index_y() / product.column_blocks;
    const int first_column = block_index_y() % product.column_blocks * float_columns;
    const int lane_column = thread_index() % column_lanes * columns_each;
    SharedArena arena;
    float* kept = arena.take<float>(
        static_cast<size_t>(geometry.taps() * product.chunks * patch_channels * float_pitch));
    float* patch = arena.take<float>(static_cast<size_t>(product.patch_places * float_pitch));
    const float* image = static_cast<const float*>(geometry.image) + group * product.image_group;
    const int64_t offset = int64_t{group} * product.columns;
    load_float_weights(kept, product, product.weights + offset * geometry.taps() * geometry.channels,
                       first_column);
    const int column = first_column + lane_column;
    float bias[columns_each];
#pragma unroll
    for (int c = 0; c < columns_each; ++c) {
        bias[c] = 0;
        if (finish.has_bias && column + c < product.columns)
            bias[c] = load_as<float>(finish.bias, (offset + column + c) * finish.bias_stride);
    }
    const int tiles = (geometry.pixels + float_pixels - 1) / float_pixels;
#pragma unroll 1
    for (int tile = block_index(); tile < tiles; tile += block_count()) {
        const PatchPlaces read = places_of(geometry, tile * float_pixels, float_pixels);
        const int first_pixel = tile * float_pixels + thread_index() / column_lanes;
        int places[pixels_each];
        float sums[pixels_each][columns_each];
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            const int pixel = geometry.clamp(first_pixel + q * (float_threads / column_lanes));
            places[q] = (geometry.place_of(pixel) - read.first) * float_pitch;
#pragma unroll
            for (int c = 0; c < columns_each; ++c) sums[q][c] = 0;
        }
#pragma unroll 1
        for (int chunk = 0; chunk < product.chunks; ++chunk) {
            // Other blocks of the multiprocessor multiply meanwhile.
            block_barrier();
            load_patch<float_threads>(patch, geometry, image, read, chunk * patch_channels);
            async_copy_commit();
            async_copy_wait<0>();
            block_barrier();
            multiply_floats(patch, kept + chunk * patch_channels * float_pitch + lane_column, product, places,
                            sums);
        }
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            const int pixel = first_pixel + q * (float_threads / column_lanes);
            if (pixel >= geometry.pixels || column >= product.columns) continue;
            const int64_t at = pixel * finish.row_stride + offset + column;
#pragma unroll
            for (int c = 0; c < columns_each; c += 4) {
                Pack<float, 4> values;
#pragma unroll
                for (int i = 0; i < 4; ++i) values[i] = sums[q][c + i] + bias[c + i];
                store_four(finish, at + c, values);
            }
        }
    }
}

bool ends_in_floats(const Finish& finish, int64_t columns) {
    const bool known = finish.kind == FinishKind::store || finish.kind == FinishKind::relu ||
                       (finish.kind == FinishKind::relu_backward && is_aligned(finish.other, 16));
    return known && finish.dtype == DType::float32 && finish.rounds == DType::float32 &&
           finish.sums == nullptr && finish.column_stride == 1 && finish.row_stride % 4 == 0 &&
           columns % columns_each == 0 && is_aligned(finish.out, 16);
}

}  // namespace

bool convolve_floats(const ConvShape& shape, const TensorView& given, bool backward, const TensorView& w,
                     const Finish& finish, Queue& queue) {
    const int64_t columns = backward ? shape.group_channels() : shape.group_out_channels();
    const int64_t channels = backward ? shape.group_out_channels() : shape.group_channels();
    if (given.dtype != DType::float32 || w.dtype != DType::float32 || !ends_in_floats(finish, columns))
        return false;
    if (backward && (shape.stride[0] != 1 || shape.stride[1] != 1)) return false;
    if (channels % 4 != 0 || channels < 8) return false;
    FloatProduct product{};
    product.geometry = patch_geometry(shape, given, backward);
    if (product.geometry.pixels == 0) return false;
    const int64_t chunks = (channels + patch_channels - 1) / patch_channels;
    const int64_t places = most_places(product.geometry, float_pixels);
    const int64_t lines = (columns + float_columns - 1) / float_columns * shape.groups;
    if (places > 4096 || shape.taps() * chunks > 1024 || lines > 65535) return false;
    const size_t bytes =
        shared_bytes<float>(static_cast<size_t>(shape.taps() * chunks * patch_channels * float_pitch)) +
        shared_bytes<float>(static_cast<size_t>(places * float_pitch));
    if (static_cast<int64_t>(bytes) > shared_limit_of(queue.ordinal())) return false;
    std::optional<DenseImages> dense;
    if (!reads_in_chunks(given, channels)) {
        dense.emplace(given, queue, chunk_alignment);
        product.geometry = patch_geometry(shape, dense->view(), backward);
    }
    const TapWeights weights(w, shape.groups, backward, queue);
    product.weights = static_cast<const float*>(weights.data());
    product.columns = static_cast<int32_t>(columns);
    product.column_blocks = static_cast<int32_t>(lines / shape.groups);
    product.chunks = static_cast<int32_t>(chunks);
    product.patch_places = static_cast<int32_t>(places);
    product.image_group = channels;
    int64_t resident = resident_blocks(queue.ordinal(), static_cast<int64_t>(bytes));
    if (resident > most_resident) resident = most_resident;
    const int64_t tiles = (int64_t{product.geometry.pixels} + float_pixels - 1) / float_pixels;
    int64_t walkers = processors_of(queue.ordinal()) * resident / lines;
    if (walkers < 1) walkers = 1;
    if (walkers > tiles) walkers = tiles;
    launch_batched<float_product, float_threads, 3>(Grid{{walkers, lines}, float_threads, bytes},
                                                    queue.stream(), product, finish);
    return true;
}

}  // namespace nativegrad::cuda
