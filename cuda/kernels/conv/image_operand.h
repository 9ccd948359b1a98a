// A convolution's image as a factor of a product: element (pixel, tap) is what the tap of that output pixel
// reads. Pixels count images, rows, columns; taps count kernel rows, kernel columns, channels.
#pragma once

#include "kernels/product/operand.h"

namespace nativegrad::cuda {

// Division of numbers below 2^32 by a fixed one: Granlund and Montgomery, "Division by Invariant Integers
// using Multiplication" (1994).
struct Divisor {
    uint32_t divisor, multiplier, shift;

    Divisor() : Divisor(1) {}
    explicit Divisor(int64_t number) : divisor(static_cast<uint32_t>(number)), shift(0) {
        while ((uint64_t{1} << shift) < divisor) ++shift;
        multiplier =
            static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
    }
    __device__ __forceinline__ int64_t quotient(int64_t x) const {
        if (x > INT64_C(0xffffffff)) return x / divisor;
        const uint64_t high = static_cast<uint64_t>(x) * multiplier >> 32;
        return static_cast<int64_t>((high + static_cast<uint64_t>(x)) >> shift);
    }
    // Of numbers below 2^31.
    __device__ __forceinline__ int small_quotient(int x) const {
        const auto number = static_cast<uint32_t>(x);
        const auto high = static_cast<uint32_t>(uint64_t{number} * multiplier >> 32);
        return static_cast<int>((high + number) >> shift);
    }
};

struct ImageOperand {
    const void* data;
    DType dtype;
    Access access;
    bool turned;      // rows are taps, the depth runs over pixels
    bool transposed;  // pixels are those of the input, and the image is the gradient of the output
    int64_t pixels, taps;
    Divisor pixel_columns, pixel_rows, channels, kernel_columns;
    int32_t height, width, stride[2], dilation[2], before[2];
    int64_t strides[4];  // of the image's elements: image, channel, row, column

    // The image's row or column that a tap reads, -1 where that is none.
    __device__ __forceinline__ int64_t source(int axis, int64_t pixel, int64_t tap, int32_t size) const {
        int64_t at;
        if (transposed) {
            at = pixel + before[axis] - tap * dilation[axis];
            if (stride[axis] > 1) {
                if (at < 0) return -1;
                const int64_t whole = at / stride[axis];
                at = whole * stride[axis] == at ? whole : -1;
            }
        } else {
            at = pixel * stride[axis] + tap * dilation[axis] - before[axis];
        }
        return at < size ? at : -1;
    }

    __device__ __forceinline__ Place at(int64_t row, int64_t k) const {
        const int64_t pixel = turned ? k : row, tap = turned ? row : k;
        if (pixel >= pixels || tap >= taps) return {0, false};
        const int64_t place = channels.quotient(tap), channel = tap - place * channels.divisor;
        const int64_t i = kernel_columns.quotient(place), j = place - i * kernel_columns.divisor;
        const int64_t line = pixel_columns.quotient(pixel), x = pixel - line * pixel_columns.divisor;
        const int64_t image = pixel_rows.quotient(line), y = line - image * pixel_rows.divisor;
        const int64_t from_row = source(0, y, i, height), from_column = source(1, x, j, width);
        return {image * strides[0] + channel * strides[1] + from_row * strides[2] + from_column * strides[3],
                from_row >= 0 && from_column >= 0};
    }
    __device__ __forceinline__ bool runs_along_depth() const { return !turned; }
};

}  // namespace nativegrad::cuda
