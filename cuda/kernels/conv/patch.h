// The part of an image that a tile of output pixels reads, in shared memory: every tap of a pixel reads it
// there, at a fixed distance from the pixel's own place. Places count the pixels of padded images, row by
// row; what lies outside of an image is zero.
#pragma once

#include "kernels/conv/image_operand.h"
#include "kernels/product/fragments.h"

namespace nativegrad::cuda {

// Channels that a patch holds, and halves from one place to the next: a multiple of 16 bytes by an odd
// number, so that ldmatrix meets no bank twice in neighbouring places.
constexpr int patch_channels = 32, patch_pitch = patch_channels + 8;
constexpr int patch_stages = 2;

// An image [N, height, width, channels] and the pixels [N, rows, columns] of a product.
struct PatchGeometry {
    const void* image;
    int64_t strides[3];  // of its elements: image, row, column
    int32_t height, width, before[2], stride[2];
    Divisor rows, columns, padded_rows, padded_columns;
    int32_t pixels;
    int32_t channels;                                 // of a group
    int32_t kernel_rows, kernel_columns;              //
    int32_t first_tap, row_step, column_step, reach;  // in places; reach: from the first tap to the last

    __device__ __forceinline__ int place_of(int pixel) const {
        const int line = columns.small_quotient(pixel), x = pixel - line * static_cast<int>(columns.divisor);
        const int picture = rows.small_quotient(line), y = line - picture * static_cast<int>(rows.divisor);
        return (picture * static_cast<int>(padded_rows.divisor) + y * stride[0]) *
                   static_cast<int>(padded_columns.divisor) +
               x * stride[1];
    }
    // The last pixel where there are fewer: its sums are not stored.
    __device__ __forceinline__ int clamp(int pixel) const { return pixel < pixels ? pixel : pixels - 1; }
    __device__ __forceinline__ int taps() const { return kernel_rows * kernel_columns; }
};

// What a tile's pixels read.
struct PatchPlaces {
    int first, count;
};

__device__ __forceinline__ PatchPlaces places_of(const PatchGeometry& geometry, int pixel, int pixels) {
    const int first = geometry.place_of(geometry.clamp(pixel));
    return {first, geometry.place_of(geometry.clamp(pixel + pixels - 1)) + geometry.reach + 1 - first};
}

// image from (place, channel) -> patch [count, pitch]: channels, and 16 bytes
template <int threads, class T>
__device__ __forceinline__ void load_patch(T* patch, const PatchGeometry& geometry, const T* image,
                                           const PatchPlaces& places, int first_channel) {
    constexpr int width = static_cast<int>(16 / sizeof(T)), pitch = patch_channels + width;
    constexpr int chunks = patch_channels / width;
    for (int i = thread_index(); i < places.count * chunks; i += threads) {
        const int place = places.first + i / chunks, channel = first_channel + i % chunks * width;
        const int line = geometry.padded_columns.small_quotient(place);
        const int picture = geometry.padded_rows.small_quotient(line);
        const int x = place - line * static_cast<int>(geometry.padded_columns.divisor) - geometry.before[1];
        const int y = line - picture * static_cast<int>(geometry.padded_rows.divisor) - geometry.before[0];
        const bool valid = static_cast<unsigned>(x) < static_cast<unsigned>(geometry.width) &&
                           static_cast<unsigned>(y) < static_cast<unsigned>(geometry.height) &&
                           channel < geometry.channels;
        const int64_t offset =
            picture * geometry.strides[0] + y * geometry.strides[1] + x * geometry.strides[2] + channel;
        async_copy_or_zero<16>(patch + i / chunks * pitch + i % chunks * width,
                               valid ? image + offset : image, valid);
    }
}

// At most so many places are read by `pixels` neighbouring pixels.
inline int64_t most_places(const PatchGeometry& geometry, int64_t pixels) {
    const int64_t columns = geometry.columns.divisor, rows = geometry.rows.divisor;
    const int64_t width = geometry.padded_columns.divisor;
    const int64_t line_step = geometry.stride[0] * width;
    const int64_t picture_step = int64_t{geometry.padded_rows.divisor} * width - rows * line_step;
    int64_t most = 0;
    for (const int64_t lines : {(pixels - 1) / columns, (pixels - 1) / columns + 1}) {
        const int64_t pictures = picture_step > 0 ? (lines + rows - 1) / rows : lines / rows;
        const int64_t distance =
            lines * line_step + pictures * picture_step + (pixels - 1 - lines * columns) * geometry.stride[1];
        if (distance > most) most = distance;
    }
    return most + geometry.reach + 1;
}

}  // namespace nativegrad::cuda
