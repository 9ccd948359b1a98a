// Transforms of Winograd's F(2x2, 3x3): each 2x2 outputs come from a 4x4 piece of the image by 16 products in
// place of 36. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), equations 5 to 8.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

constexpr int64_t winograd_elements = 16;  // of a transformed piece: 4 x 4, by rows

// Channels are multiples of `winograd_channels`; element e of tile t lies at e * plane + t * channels.
constexpr int64_t winograd_channels = 16;

struct WinogradKernels {
    // Four rows of an image [columns, channels] (null: zeros) -> `tiles` transformed pieces. The first piece
    // begins at column `first`; columns outside the row count as zeros.
    void (*image)(const float* const* rows, int64_t first, int64_t columns, int64_t channels, int64_t tiles,
                  float* to, int64_t plane);

    // Products of the pieces -> two rows of the output [columns, channels] (the second may be null), plus the
    // bias where that is not null
    void (*output)(const float* from, int64_t plane, int64_t channels, int64_t tiles, const float* bias,
                   float* const* rows, int64_t columns);

    // Two rows of the output's gradient (the second may be null) -> the gradient of the products
    void (*gradient)(const float* const* rows, int64_t columns, int64_t channels, int64_t tiles, float* to,
                     int64_t plane);
};

}  // namespace nativegrad::cpu
