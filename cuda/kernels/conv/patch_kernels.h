// The bodies of patch_choice.h's launchers, for the files that instantiate them.
#pragma once

#include "kernels/conv/patch_choice.h"
#include "kernels/conv/patch_gradient.h"

namespace nativegrad::cuda {

template <class Half, int warps_m, int warps_n, int m_parts>
void launch_tile(const Grid& grid, Stream stream, const PatchProduct& product) {
    launch_batched<patch_product<Half, warps_m, warps_n, m_parts>,
                   PatchTile<warps_m, warps_n, m_parts>::threads, 8 / (warps_m * warps_n)>(grid, stream,
                                                                                           product);
}

template <class Half>
void launch_patches(const PatchTiles& tiles, const PatchProduct& product, int64_t groups, Stream stream) {
    const int64_t lines = int64_t{product.column_blocks} * groups;
    const PatchOption& option = patch_options[tiles.option];
    const Grid grid{{tiles.walkers, lines}, option.warps * warp_size, tiles.bytes};
    if (tiles.option == 0) return launch_tile<Half, 2, 2, 4>(grid, stream, product);
    if (tiles.option == 1) return launch_tile<Half, 4, 2, 4>(grid, stream, product);
    launch_tile<Half, 4, 1, 2>(grid, stream, product);
}

template <class Half>
void launch_patch_gradient(const PatchGradient& gradient, const Blocks& blocks, Stream stream) {
    const Grid grid{blocks, gradient_threads, patch_gradient_bytes<Half>(gradient.patch_places)};
    launch_batched<patch_gradient<Half>, gradient_threads, 1>(grid, stream, gradient);
}

}  // namespace nativegrad::cuda
