#include "kernels/conv/patch_choice.h"

#include "kernels/product/device_limits.h"

namespace nativegrad::cuda {

namespace {

Divisor at_least_one(int64_t number) { return Divisor(number > 0 ? number : 1); }

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

PatchGeometry patch_geometry(const ConvShape& shape, const TensorView& image, bool backward) {
    PatchGeometry g{};
    g.image = image.data;
    g.strides[0] = image.strides[0];
    g.strides[1] = image.strides[2];
    g.strides[2] = image.strides[3];
    g.height = static_cast<int32_t>(image.shape[2]);
    g.width = static_cast<int32_t>(image.shape[3]);
    const int64_t pixels[2] = {backward ? shape.height : shape.out_height,
                               backward ? shape.width : shape.out_width};
    const int64_t kernel[2] = {shape.kernel_rows, shape.kernel_columns};
    int64_t padded[2];
    for (int axis = 0; axis < 2; ++axis) {
        const int64_t reach = (kernel[axis] - 1) * shape.dilation[axis];
        // A stride that leads nowhere may be larger than the image.
        g.stride[axis] = backward || pixels[axis] == 1 ? 1 : shape.stride[axis];
        padded[axis] = (pixels[axis] - 1) * g.stride[axis] + reach + 1;
        g.before[axis] = static_cast<int32_t>(backward ? reach - shape.before[axis] : shape.before[axis]);
    }
    constexpr int64_t most = INT64_C(1) << 30;
    if (padded[0] > most || padded[1] > most || shape.images > most / (padded[0] * padded[1])) return g;
    g.pixels = static_cast<int32_t>(shape.images * pixels[0] * pixels[1]);
    g.rows = at_least_one(pixels[0]);
    g.columns = at_least_one(pixels[1]);
    g.padded_rows = at_least_one(padded[0]);
    g.padded_columns = at_least_one(padded[1]);
    g.channels = static_cast<int32_t>(backward ? shape.group_out_channels() : shape.group_channels());
    g.kernel_rows = static_cast<int32_t>(kernel[0]);
    g.kernel_columns = static_cast<int32_t>(kernel[1]);
    g.row_step = static_cast<int32_t>(shape.dilation[0] * padded[1]);
    g.column_step = shape.dilation[1];
    g.reach = (g.kernel_rows - 1) * g.row_step + (g.kernel_columns - 1) * g.column_step;
    if (backward) {
        g.first_tap = g.reach;
        g.row_step = -g.row_step;
        g.column_step = -g.column_step;
    }
    return g;
}

bool reads_in_chunks(const TensorView& image, int64_t group_channels) {
    const int64_t width = 16 / static_cast<int64_t>(item_size(image.dtype));
    bool fits = image.strides[1] == 1 && group_channels % width == 0 && is_aligned(image.data, 16);
    for (const int axis : {0, 2, 3}) fits = fits && image.strides[axis] % width == 0;
    return fits;
}

PatchTiles choose_tiles(const PatchGeometry& geometry, int64_t groups, int64_t columns, int ordinal) {
    const int64_t processors = processors_of(ordinal), limit = shared_limit_of(ordinal);
    PatchTiles best{};
    double least = 0;
    const int64_t chunks = divide_up(geometry.channels, patch_channels);
    for (int option = 0; option < 3; ++option) {
        const PatchOption& tile = patch_options[option];
        const int64_t places = most_places(geometry, tile.rows);
        const int64_t taps = int64_t{geometry.kernel_rows} * geometry.kernel_columns;
        if (places > 4096 || taps * chunks > 4096) continue;
        const size_t bytes = patch_product_bytes<Float16>(taps, chunks, tile.columns, places);
        if (static_cast<int64_t>(bytes) > limit) continue;
        int64_t resident = resident_blocks(ordinal, static_cast<int64_t>(bytes));
        if (resident > tile.most_blocks) resident = tile.most_blocks;
        const int64_t lines = divide_up(columns, tile.columns) * groups;
        const int64_t tiles = divide_up(geometry.pixels, tile.rows);
        int64_t walkers = processors * resident / lines;
        if (walkers < 1) walkers = 1;
        if (walkers > tiles) walkers = tiles;
        const int64_t rounds = divide_up(tiles, walkers) * divide_up(walkers * lines, processors * resident);
        const double busy = tile.warps * resident < 8 ? 0.6 : 1.0;
        const double cost =
            static_cast<double>(rounds * resident * tile.rows * tile.columns) / (tile.efficiency * busy);
        if (best.fits && cost >= least) continue;
        best = {true, option, walkers, bytes};
        least = cost;
    }
    return best;
}

}  // namespace nativegrad::cuda
