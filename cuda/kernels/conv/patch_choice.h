// Which tiles a convolution by patches gets: by its sizes, and the multiprocessors and the shared memory of
// the device. They also say how its statistics and the gradients of its weights are summed up: the bits
// repeat on all GPUs of a model, and may be others on another.
#pragma once

#include "kernels/conv/conv_shape.h"
#include "kernels/conv/patch_product.h"

namespace nativegrad::cuda {

// What pixels of the output read of x, or, with `backward`, those of the input of dy (stride 1). Pixels and
// places fit into 31 bits, or the geometry has no pixels.
PatchGeometry patch_geometry(const ConvShape& shape, const TensorView& image, bool backward);

// Whether 16-byte pieces of channels can be read.
bool reads_in_chunks(const TensorView& image, int64_t group_channels);

struct PatchTiles {
    bool fits;
    int option;       // index of the kernel in patch_kernels.h
    int64_t walkers;  // blocks that share the tiles of pixels
    size_t bytes;
};

// The tiles of all products in groups * columns channels on that device.
PatchTiles choose_tiles(const PatchGeometry& geometry, int64_t groups, int64_t columns, int ordinal);

// What the three kernels take.
struct PatchOption {
    int rows, columns, warps_m, warps, most_blocks;
    double efficiency;
};
constexpr PatchOption patch_options[] = {
    {128, 64, 2, 4, 2, 1.0}, {256, 64, 4, 8, 1, 1.0}, {128, 32, 4, 4, 2, 0.8}};

// Starts the kernel of that option.
template <class Half>
void launch_patches(const PatchTiles& tiles, const PatchProduct& product, int64_t groups, Stream stream);

// dw of 64 output channels, 32 input channels and 9 taps a block
struct PatchGradient;
template <class Half>
void launch_patch_gradient(const PatchGradient& gradient, const Blocks& blocks, Stream stream);

}  // namespace nativegrad::cuda
