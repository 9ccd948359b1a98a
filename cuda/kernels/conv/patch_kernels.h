// The bodies of patch_choice.h's launchers, for the files that instantiate them.
#pragma once

#include "kernels/conv/patch_choice.h"
#include "kernels/conv/patch_gradient.h"

namespace nativegrad::cuda {

template <class Half>
void launch_patches(const PatchTiles& tiles, const PatchProduct& product, int64_t groups, Stream stream) {
    const int64_t lines = int64_t{product.column_blocks} * groups;
    const PatchOption& option = patch_options[tiles.option];
    const Grid grid{{tiles.walkers, lines}, option.warps * warp_size, tiles.bytes};
    if (tiles.option == 0) return launch<patch_product<Half, 2, 2, 4>>(grid, stream, product);
    if (tiles.option == 1) return launch<patch_product<Half, 4, 2, 4>>(grid, stream, product);
    launch<patch_product<Half, 4, 1, 2>>(grid, stream, product);
}

template <class Half>
void launch_patch_gradient(const PatchGradient& gradient, const Blocks& blocks, Stream stream) {
    const Grid grid{blocks, gradient_threads, patch_gradient_bytes<Half>(gradient.patch_places)};
    launch<patch_gradient<Half>>(grid, stream, gradient);
}

}  // namespace nativegrad::cuda
