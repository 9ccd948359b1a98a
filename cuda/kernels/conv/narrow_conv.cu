#include "kernels/conv/narrow_conv.h"

#include "kernels/conv/gradient_sums.h"
#include "kernels/conv/moments.h"
#include "kernels/conv/patch_choice.h"
#include "kernels/packs.h"
#include "kernels/product/device_limits.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

constexpr int narrow_threads = 256, pixels_each = 4, narrow_depth = 9;
constexpr int64_t most_channels = 4, most_depth = 256, most_columns = warp_size * row_pack;
constexpr int64_t narrow_resident = 2;  // blocks of a multiprocessor

// The depth counts kernel rows, kernel columns, channels. `lanes` of a warp share a pixel's output channels.
struct NarrowConv {
    PatchGeometry geometry;
    DType dtype;
    int64_t channel_stride;
    int32_t depth, columns, lanes, patch_places;
    bool packs;

    __device__ __forceinline__ int tile_pixels() const { return narrow_threads / lanes * pixels_each; }
    // From a pixel's own place in the patch to what element d of the depth reads.
    __device__ __forceinline__ int offset(int d) const {
        const int tap = d / geometry.channels, row = tap / geometry.kernel_columns;
        const int column = tap - row * geometry.kernel_columns;
        return (row * geometry.row_step + column * geometry.column_step) * geometry.channels + d -
               tap * geometry.channels;
    }
};

// image -> patch [places, channels] of the tile; barriers around it
__device__ __forceinline__ void load_narrow_patch(float* patch, const NarrowConv& conv, int tile) {
    const PatchGeometry& geometry = conv.geometry;
    const PatchPlaces read = places_of(geometry, tile * conv.tile_pixels(), conv.tile_pixels());
    const Source source{geometry.image, conv.dtype, 0};
    block_barrier();
    for (int i = thread_index(); i < read.count * geometry.channels; i += narrow_threads) {
        const int within = i / geometry.channels, channel = i - within * geometry.channels;
        const int place = read.first + within, line = geometry.padded_columns.small_quotient(place);
        const int picture = geometry.padded_rows.small_quotient(line);
        const int x = place - line * static_cast<int>(geometry.padded_columns.divisor) - geometry.before[1];
        const int y = line - picture * static_cast<int>(geometry.padded_rows.divisor) - geometry.before[0];
        const bool valid = static_cast<unsigned>(x) < static_cast<unsigned>(geometry.width) &&
                           static_cast<unsigned>(y) < static_cast<unsigned>(geometry.height);
        patch[i] = valid ? load_as<float>(source, picture * geometry.strides[0] + y * geometry.strides[1] +
                                                      x * geometry.strides[2] + channel * conv.channel_stride)
                         : 0.0f;
    }
    block_barrier();
}

// A lane's pixels of a tile, and their places in its patch.
struct LanePixels {
    int pixel[pixels_each], place[pixels_each];

    __device__ __forceinline__ LanePixels(const NarrowConv& conv, int tile) {
        const PatchGeometry& geometry = conv.geometry;
        const int first = tile * conv.tile_pixels(), start = geometry.place_of(first);
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            pixel[q] = first + q * (narrow_threads / conv.lanes) + thread_index() / conv.lanes;
            place[q] = (geometry.place_of(geometry.clamp(pixel[q])) - start) * geometry.channels;
        }
    }
};

// Mean and squares around it of eight channels.
struct LaneMoments {
    float count, mean[row_pack], squares[row_pack];
};

__device__ __forceinline__ void join_lane(LaneMoments& a, const LaneMoments& b) {
    const float all = a.count + b.count, share = all > 0 ? b.count / all : 0.0f;
#pragma unroll
    for (int c = 0; c < row_pack; ++c) {
        const float distance = b.mean[c] - a.mean[c];
        a.mean[c] += distance * share;
        a.squares[c] += b.squares[c] + distance * distance * (a.count * share);
    }
    a.count = all;
}

// values of a lane's pixels, the first `count` of them there
__device__ __forceinline__ LaneMoments moments_of(const float (&values)[pixels_each][row_pack], int count) {
    LaneMoments moments{static_cast<float>(count), {}, {}};
    if (count == 0) return moments;
#pragma unroll
    for (int c = 0; c < row_pack; ++c) {
        float sum = 0;
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            if (q < count) sum += values[q][c];
        }
        const float mean = sum / static_cast<float>(count);
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            const float distance = values[q][c] - mean;
            if (q < count) moments.squares[c] = fma(distance, distance, moments.squares[c]);
        }
        moments.mean[c] = mean;
    }
    return moments;
}

// The block's moments of each channel -> partials [3, columns] of its part
__device__ __forceinline__ void store_lane_moments(const NarrowConv& conv, const LaneMoments& moments,
                                                   LaneMoments* all, float* partials) {
    block_barrier();
    all[thread_index()] = moments;
    for (int step = conv.lanes; step < narrow_threads; step *= 2) {
        block_barrier();
        if (thread_index() % (2 * step) < conv.lanes)
            join_lane(all[thread_index()], all[thread_index() + step]);
    }
    if (thread_index() >= conv.lanes) return;
    const LaneMoments& sum = all[thread_index()];
    float* to = partials + int64_t{block_index()} * 3 * conv.columns;
    for (int c = 0; c < row_pack; ++c) {
        const int column = thread_index() * row_pack + c;
        if (column >= conv.columns) return;
        to[column] = sum.count;
        to[conv.columns + column] = sum.mean[c];
        to[2 * conv.columns + column] = sum.squares[c];
    }
}

// sums [pixels_each, 8] of a lane: its pixels times weights [depth, lanes * 8]
__device__ __forceinline__ void multiply_narrow(const NarrowConv& conv, const float* patch,
                                                const float* weights, const int* offsets,
                                                const LanePixels& lane,
                                                float (&sums)[pixels_each][row_pack]) {
#pragma unroll
    for (int q = 0; q < pixels_each; ++q) {
#pragma unroll
        for (int c = 0; c < row_pack; ++c) sums[q][c] = 0;
    }
    const float* column = weights + thread_index() % conv.lanes * row_pack;
#pragma unroll 3
    for (int d = 0; d < conv.depth; ++d) {
        const Pack<float, 4> low = load_pack<4>(column + d * conv.lanes * row_pack);
        const Pack<float, 4> high = load_pack<4>(column + d * conv.lanes * row_pack + 4);
        const float* from = patch + offsets[d];
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            const float value = from[lane.place[q]];
#pragma unroll
            for (int c = 0; c < 4; ++c) {
                sums[q][c] = fma(value, low[c], sums[q][c]);
                sums[q][4 + c] = fma(value, high[c], sums[q][4 + c]);
            }
        }
    }
}

// x [pixels; taps, channels], w [columns, channels, kH, kW] -> finish [pixels, columns]
__device__ __forceinline__ void narrow_conv(const NarrowConv& conv, const TensorView& w, const Finish& finish,
                                            float* partials) {
    SharedArena arena;
    const size_t start = arena.mark();
    float* weights = arena.take<float>(static_cast<size_t>(conv.depth * conv.lanes * row_pack));
    int* offsets = arena.take<int>(static_cast<size_t>(conv.depth));
    float* patch = arena.take<float>(static_cast<size_t>(conv.patch_places * conv.geometry.channels));
    arena.rewind(start);
    LaneMoments* all = arena.take<LaneMoments>(narrow_threads);
    for (int i = thread_index(); i < conv.depth * conv.lanes * row_pack; i += narrow_threads) {
        const int d = i / (conv.lanes * row_pack), column = i - d * conv.lanes * row_pack;
        const int tap = d / conv.geometry.channels, row = tap / conv.geometry.kernel_columns;
        const int64_t at = column * w.strides[0] + (d - tap * conv.geometry.channels) * w.strides[1] +
                           row * w.strides[2] + (tap - row * conv.geometry.kernel_columns) * w.strides[3];
        weights[i] = column < conv.columns ? load_as<float>(Source{w.data, w.dtype, 0}, at) : 0.0f;
    }
    for (int d = thread_index(); d < conv.depth; d += narrow_threads) offsets[d] = conv.offset(d);
    const int first_column = thread_index() % conv.lanes * row_pack;
    float bias[row_pack];
#pragma unroll
    for (int c = 0; c < row_pack; ++c) {
        bias[c] = 0;
        if (finish.has_bias && first_column + c < conv.columns)
            bias[c] = load_as<float>(finish.bias, (first_column + c) * finish.bias_stride);
    }
    const int tiles = (conv.geometry.pixels + conv.tile_pixels() - 1) / conv.tile_pixels();
    LaneMoments moments{};
#pragma unroll 1
    for (int tile = block_index(); tile < tiles; tile += block_count()) {
        load_narrow_patch(patch, conv, tile);
        const LanePixels lane(conv, tile);
        float sums[pixels_each][row_pack];
        multiply_narrow(conv, patch, weights, offsets, lane, sums);
        int count = 0;
#pragma unroll
        for (int q = 0; q < pixels_each; ++q) {
            float kept[row_pack];
#pragma unroll
            for (int c = 0; c < row_pack; ++c) {
                sums[q][c] = rounded_to(finish.rounds, sums[q][c] + bias[c]);
                kept[c] = finish.kind == FinishKind::relu && sums[q][c] <= 0.0f ? 0.0f : sums[q][c];
            }
            if (lane.pixel[q] >= conv.geometry.pixels) continue;
            ++count;
            store_chunk(finish.out, finish.dtype, lane.pixel[q] * finish.row_stride, 1, first_column,
                        conv.columns, conv.packs, kept);
        }
        if (partials != nullptr) join_lane(moments, moments_of(sums, count));
    }
    if (partials != nullptr) store_lane_moments(conv, moments, all, partials);
}

// The sum over the lanes of a warp that have the same channels.
__device__ __forceinline__ float sum_of_pixels(float value, int lanes) {
    for (int step = lanes; step < warp_size; step *= 2) value += shuffle_xor(value, step);
    return value;
}

// x, dy [pixels, columns] -> partials [splits, columns, depth], sums [splits, columns] (or null); blocks
// (splits, parts of the depth)
__device__ __forceinline__ void narrow_gradient(const NarrowConv& conv, const Source& dy, float* partials,
                                                float* column_sums) {
    constexpr int kept = narrow_depth + 1;
    SharedArena arena;
    int* offsets = arena.take<int>(narrow_depth);
    const size_t start = arena.mark();
    float* patch = arena.take<float>(static_cast<size_t>(conv.patch_places * conv.geometry.channels));
    arena.rewind(start);
    float* parts =
        arena.take<float>(static_cast<size_t>(kept * narrow_threads / warp_size * conv.lanes * row_pack));
    const int first_depth = block_index_y() * narrow_depth,
              first_column = thread_index() % conv.lanes * row_pack;
    if (thread_index() < narrow_depth)
        offsets[thread_index()] =
            conv.offset(first_depth + thread_index() < conv.depth ? first_depth + thread_index() : 0);
    float sums[kept][row_pack];
#pragma unroll
    for (int d = 0; d < kept; ++d) {
#pragma unroll
        for (int c = 0; c < row_pack; ++c) sums[d][c] = 0;
    }
    const int tiles = (conv.geometry.pixels + conv.tile_pixels() - 1) / conv.tile_pixels();
#pragma unroll 1
    for (int tile = block_index(); tile < tiles; tile += block_count()) {
        load_narrow_patch(patch, conv, tile);
        const int first = tile * conv.tile_pixels(), place = conv.geometry.place_of(first);
#pragma unroll 1
        for (int q = 0; q < pixels_each; ++q) {
            const int pixel = first + q * (narrow_threads / conv.lanes) + thread_index() / conv.lanes;
            if (pixel >= conv.geometry.pixels) break;
            const float* from = patch + (conv.geometry.place_of(pixel) - place) * conv.geometry.channels;
            float values[row_pack] = {};
            if (first_column < conv.columns)
                load_row_pack(dy.data, dy.dtype, int64_t{pixel} * conv.columns + first_column, values);
#pragma unroll
            for (int d = 0; d < kept; ++d) {
                const float x = d < narrow_depth ? from[offsets[d < narrow_depth ? d : 0]] : 1.0f;
#pragma unroll
                for (int c = 0; c < row_pack; ++c) sums[d][c] = fma(x, values[c], sums[d][c]);
            }
        }
    }
    block_barrier();
    constexpr int warps = narrow_threads / warp_size;
    const int width = conv.lanes * row_pack;
#pragma unroll
    for (int d = 0; d < kept; ++d) {
#pragma unroll
        for (int c = 0; c < row_pack; ++c) {
            const float sum = sum_of_pixels(sums[d][c], conv.lanes);
            if (lane_index() < conv.lanes) parts[(d * warps + warp_index()) * width + first_column + c] = sum;
        }
    }
    block_barrier();
    for (int i = thread_index(); i < kept * width; i += narrow_threads) {
        const int d = i / width, column = i - d * width;
        float sum = parts[d * warps * width + column];
        for (int warp = 1; warp < warps; ++warp) sum += parts[(d * warps + warp) * width + column];
        if (column >= conv.columns) continue;
        const int64_t line = int64_t{block_index()} * conv.columns + column;
        if (d == narrow_depth) {
            if (column_sums != nullptr && block_index_y() == 0) column_sums[line] = sum;
        } else if (first_depth + d < conv.depth) {
            partials[line * conv.depth + first_depth + d] = sum;
        }
    }
}

// Describes the convolution; false where it is not a narrow one.
bool describe(const ConvShape& shape, const TensorView& x, const TensorView& y, NarrowConv& conv) {
    const int64_t depth = shape.taps() * shape.channels;
    if (shape.groups != 1 || shape.channels < 1 || shape.channels > most_channels || depth > most_depth)
        return false;
    if (shape.out_channels > most_columns || x.dtype != y.dtype ||
        compute_class(x.dtype) != ComputeClass::f32 || !is_float(x.dtype))
        return false;
    conv.geometry = patch_geometry(shape, x, false);
    if (conv.geometry.pixels == 0) return false;
    conv.dtype = x.dtype;
    conv.channel_stride = x.strides[1];
    conv.depth = static_cast<int32_t>(depth);
    conv.columns = static_cast<int32_t>(shape.out_channels);
    conv.lanes = 1;
    while (int64_t{conv.lanes} * row_pack < shape.out_channels) conv.lanes *= 2;
    const int64_t places = most_places(conv.geometry, int64_t{narrow_threads} / conv.lanes * pixels_each);
    if (places * shape.channels >= 8192) return false;
    conv.patch_places = static_cast<int32_t>(places);
    conv.packs = shape.out_channels % row_pack == 0 && is_aligned(y.data, 16);
    return true;
}

int64_t walkers_over(const NarrowConv& conv, int64_t most) {
    const int64_t each = int64_t{narrow_threads} / conv.lanes * pixels_each;
    const int64_t tiles = (int64_t{conv.geometry.pixels} + each - 1) / each;
    return tiles < most ? tiles : most;
}

size_t largest(size_t a, size_t b) { return a > b ? a : b; }

size_t patch_bytes(const NarrowConv& conv) {
    return shared_bytes<float>(static_cast<size_t>(conv.patch_places * conv.geometry.channels));
}

}  // namespace

bool convolve_narrow(const ConvShape& shape, const TensorView& x, const TensorView& w, const Finish& finish,
                     const TensorView* moments, Queue& queue) {
    NarrowConv conv{};
    TensorView y = x;
    y.dtype = finish.dtype;
    y.data = finish.out;
    const bool ends = finish.kind == FinishKind::store || finish.kind == FinishKind::relu;
    if (!ends || finish.sums != nullptr || finish.column_stride != 1 || !describe(shape, x, y, conv))
        return false;
    const size_t weights = shared_bytes<float>(static_cast<size_t>(conv.depth * conv.lanes * row_pack)) +
                           shared_bytes<int>(static_cast<size_t>(conv.depth));
    const size_t bytes = largest(weights + patch_bytes(conv), shared_bytes<LaneMoments>(narrow_threads));
    if (static_cast<int64_t>(bytes) > shared_limit_of(queue.ordinal())) return false;
    const int64_t walkers = walkers_over(conv, narrow_resident * processors_of(queue.ordinal()));
    if (moments == nullptr) {
        launch_batched<narrow_conv, narrow_threads, 2>(Grid{walkers, narrow_threads, bytes}, queue.stream(),
                                                       conv, w, finish, static_cast<float*>(nullptr));
        return true;
    }
    const Scratch partials(queue, static_cast<size_t>(walkers * 3 * conv.columns) * sizeof(float));
    launch_batched<narrow_conv, narrow_threads, 2>(Grid{walkers, narrow_threads, bytes}, queue.stream(), conv,
                                                   w, finish, partials.as<float>());
    join_moments(partials.as<float>(), walkers, moments[0], moments[1], queue.stream());
    return true;
}

bool sum_taps_narrow(const ConvShape& shape, const TensorView& x, const TensorView& dy, const TensorView& dw,
                     const TensorView* db, Queue& queue) {
    NarrowConv conv{};
    if (compute_class(dw.dtype) != ComputeClass::f32 || !describe(shape, x, dy, conv) || !conv.packs)
        return false;
    const int64_t parts = (conv.depth + narrow_depth - 1) / narrow_depth;
    const int64_t most = narrow_resident * processors_of(queue.ordinal()) / parts;
    const int64_t splits = walkers_over(conv, most < 1 ? 1 : most);
    const size_t kept = shared_bytes<float>(
        static_cast<size_t>((narrow_depth + 1) * narrow_threads / warp_size * conv.lanes * row_pack));
    const size_t bytes = shared_bytes<int>(narrow_depth) + largest(kept, patch_bytes(conv));
    if (static_cast<int64_t>(bytes) > shared_limit_of(queue.ordinal())) return false;
    const int64_t size = element_count(dw), all = size + shape.out_channels;
    const Scratch partials(queue, static_cast<size_t>(splits * all) * sizeof(float));
    float* sums = db == nullptr ? nullptr : partials.as<float>() + splits * size;
    launch_batched<narrow_gradient, narrow_threads, 2, 1>(Grid{{splits, parts}, narrow_threads, bytes},
                                                          queue.stream(), conv, source_of(dy),
                                                          partials.as<float>(), sums);
    join_gradients(shape, partials.as<float>(), sums, splits, dw, db, queue.stream());
    return true;
}

}  // namespace nativegrad::cuda
