#include "kernels/conv/patch_conv.h"

#include "kernels/conv/gradient_sums.h"
#include "kernels/conv/images.h"
#include "kernels/conv/moments.h"
#include "kernels/conv/patch_choice.h"
#include "kernels/conv/patch_gradient.h"
#include "kernels/product/device_limits.h"
#include "kernels/product/half_choice.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

bool ends_in_patches(const Finish& finish, int64_t columns) {
    const bool known = finish.kind == FinishKind::store || finish.kind == FinishKind::relu ||
                       (finish.kind == FinishKind::relu_backward && is_aligned(finish.other, 16));
    return known && finish.sums == nullptr && finish.rounds == finish.dtype && finish.column_stride == 1 &&
           finish.row_stride % 8 == 0 && columns % 8 == 0 && is_aligned(finish.out, 16);
}

template <class Body>
void with_half(DType dtype, const Body& body) {
    if (dtype == DType::float16)
        body(Float16{});
    else
        body(BFloat16{});
}

}  // namespace

bool convolve_by_patches(const ConvShape& shape, const TensorView& given, bool backward, const TensorView& w,
                         const Finish& finish, const TensorView* moments, Queue& queue) {
    const int64_t columns = backward ? shape.group_channels() : shape.group_out_channels();
    const int64_t channels = backward ? shape.group_out_channels() : shape.group_channels();
    if (given.dtype != finish.dtype || w.dtype != finish.dtype || !has_tensor_cores(finish.dtype, queue))
        return false;
    if (backward && (shape.stride[0] != 1 || shape.stride[1] != 1)) return false;
    if (channels % 8 != 0 || channels == 0 || !ends_in_patches(finish, columns)) return false;
    PatchProduct product{};
    product.geometry = patch_geometry(shape, given, backward);
    if (product.geometry.pixels == 0) return false;
    const PatchTiles tiles = choose_tiles(product.geometry, shape.groups, columns, queue.ordinal());
    const PatchOption& option = patch_options[tiles.option];
    product.column_blocks = static_cast<int32_t>((columns + option.columns - 1) / option.columns);
    if (!tiles.fits || product.column_blocks * shape.groups > 65535) return false;
    std::optional<DenseImages> dense;
    if (!reads_in_chunks(given, channels)) {
        dense.emplace(given, queue, chunk_alignment);
        product.geometry = patch_geometry(shape, dense->view(), backward);
    }
    const TapWeights weights(w, shape.groups, backward, queue, chunk_alignment);
    product.weights = weights.data();
    product.columns = static_cast<int32_t>(columns);
    product.chunks = static_cast<int32_t>((channels + patch_channels - 1) / patch_channels);
    product.patch_places = static_cast<int32_t>(most_places(product.geometry, option.rows));
    product.image_group = channels;
    product.finish = finish;
    const int64_t parts = tiles.walkers * option.warps_m, all = columns * shape.groups;
    std::optional<Scratch> partials;
    if (moments != nullptr)
        product.moments =
            partials.emplace(queue, static_cast<size_t>(parts * 3 * all) * sizeof(float)).as<float>();
    with_half(finish.dtype, [&](auto half) {
        launch_patches<decltype(half)>(tiles, product, shape.groups, queue.stream());
    });
    if (moments != nullptr) join_moments(product.moments, parts, moments[0], moments[1], queue.stream());
    return true;
}

bool sum_taps_by_patches(const ConvShape& shape, const TensorView& given, const TensorView& dy,
                         const TensorView& dw, const TensorView* db, Queue& queue) {
    const int64_t rows = shape.group_out_channels(), channels = shape.group_channels();
    if (given.dtype != dy.dtype || !has_tensor_cores(dy.dtype, queue)) return false;
    if (rows % 8 != 0 || channels % 8 != 0 || rows == 0 || channels == 0) return false;
    if (!is_aligned(dy.data, 16) || compute_class(dw.dtype) != ComputeClass::f32) return false;
    PatchGradient gradient{};
    gradient.geometry = patch_geometry(shape, given, false);
    if (gradient.geometry.pixels == 0) return false;
    const int64_t places = most_places(gradient.geometry, gradient_pixels);
    if (static_cast<int64_t>(patch_gradient_bytes<Float16>(places)) > shared_limit_of(queue.ordinal()))
        return false;
    gradient.patch_places = static_cast<int32_t>(places);
    gradient.rows = static_cast<int32_t>(rows);
    gradient.row_blocks = static_cast<int32_t>((rows + gradient_rows - 1) / gradient_rows);
    gradient.channel_blocks = static_cast<int32_t>((channels + patch_channels - 1) / patch_channels);
    gradient.tap_blocks = static_cast<int32_t>((shape.taps() + gradient_taps - 1) / gradient_taps);
    const int64_t lines = shape.groups * gradient.row_blocks * gradient.channel_blocks * gradient.tap_blocks;
    if (lines > 65535) return false;
    std::optional<DenseImages> dense;
    if (!reads_in_chunks(given, channels)) {
        dense.emplace(given, queue, chunk_alignment);
        gradient.geometry = patch_geometry(shape, dense->view(), false);
    }
    gradient.dy = dy.data;
    gradient.dy_row = shape.out_channels;
    gradient.image_group = channels;
    const int64_t tiles = (int64_t{gradient.geometry.pixels} + gradient_pixels - 1) / gradient_pixels;
    int64_t splits = processors_of(queue.ordinal()) / lines;
    if (splits < 1) splits = 1;
    if (splits > tiles) splits = tiles;
    const int64_t size = element_count(dw), all = size + shape.out_channels;
    const Scratch partials(queue, static_cast<size_t>(splits * all) * sizeof(float));
    gradient.partials = partials.as<float>();
    if (db != nullptr) gradient.column_sums = gradient.partials + splits * size;
    with_half(dy.dtype, [&](auto half) {
        launch_patch_gradient<decltype(half)>(gradient, Blocks(splits, lines), queue.stream());
    });
    join_gradients(shape, gradient.partials, gradient.column_sums, splits, dw, db, queue.stream());
    return true;
}

}  // namespace nativegrad::cuda
