#include "backend/ops.h"
#include "device/device.h"
#include "kernels/strided.h"
#include "kernels/values.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// x [N, C, H, W] and maps [N, 2, 3] of any strides -> out [N, C, H, W] dense
struct SampleOperands {
    Source x, maps;
    void* out;
    DType dtype;
    int64_t channels, height, width, count;
    int64_t x_strides[4], map_strides[3];
};

// The pixel at (row, column) of the plane at `base`, 0 outside of the image
template <class T>
__device__ __forceinline__ double pixel_at(const SampleOperands& of, int64_t base, int64_t row,
                                           int64_t column) {
    if (row < 0 || row >= of.height || column < 0 || column >= of.width) return 0;
    return static_cast<double>(load_as<T>(of.x, base + row * of.x_strides[2] + column * of.x_strides[3]));
}

// out(y, x) = in at the affine image of (y, x), bilinear, zero outside; a lane per pixel
template <class T>
__device__ __forceinline__ void affine_sample_pixels(const SampleOperands& of) {
    for (int64_t i = grid_thread_index(); i < of.count; i += grid_thread_count()) {
        const int64_t line = i / of.width, column = i - line * of.width;
        const int64_t plane = line / of.height, row = line - plane * of.height;
        const int64_t image = plane / of.channels, channel = plane - image * of.channels;
        double map[6];
        for (int k = 0; k < 6; ++k)
            map[k] = load_as<double>(
                of.maps, image * of.map_strides[0] + k / 3 * of.map_strides[1] + k % 3 * of.map_strides[2]);
        const double width = static_cast<double>(of.width), height = static_cast<double>(of.height);
        const double middle_x = (width - 1) / 2, middle_y = (height - 1) / 2;
        const double dx = static_cast<double>(column) - middle_x, dy = static_cast<double>(row) - middle_y;
        const double from_x = map[0] * dx + map[1] * dy + map[2] + middle_x;
        const double from_y = map[3] * dx + map[4] * dy + map[5] + middle_y;
        T value = 0;
        // Also refuses NaN and what an integer cannot hold.
        if (from_x > -1 && from_x < width && from_y > -1 && from_y < height) {
            const int64_t left = static_cast<int64_t>(floor(from_x));
            const int64_t top = static_cast<int64_t>(floor(from_y));
            const double right_share = from_x - static_cast<double>(left);
            const double bottom_share = from_y - static_cast<double>(top);
            const int64_t base = image * of.x_strides[0] + channel * of.x_strides[1];
            const double upper = pixel_at<T>(of, base, top, left) * (1 - right_share) +
                                 pixel_at<T>(of, base, top, left + 1) * right_share;
            const double lower = pixel_at<T>(of, base, top + 1, left) * (1 - right_share) +
                                 pixel_at<T>(of, base, top + 1, left + 1) * right_share;
            value = static_cast<T>(upper * (1 - bottom_share) + lower * bottom_share);
        }
        store_as(of.out, of.dtype, i, value);
    }
}

}  // namespace

namespace ops {

// x [N, C, H, W], maps [N, 2, 3] -> out [N, C, H, W]
// A map takes an output position, relative to the image's middle and in pixels, to the input position.
void affine_sample(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &maps = call.inputs[1], &out = call.outputs[0];
    if (x.rank != 4 || maps.rank != 3 || maps.shape[0] != x.shape[0] || maps.shape[1] != 2 ||
        maps.shape[2] != 3) {
        fail("needs images [N, C, H, W] and maps [N, 2, 3]");
    }
    const int64_t count = element_count(x);
    if (count == 0) return;
    SampleOperands of{source_of(x), source_of(maps), out.data, out.dtype, x.shape[1],
                      x.shape[2],   x.shape[3],      count,    {},        {}};
    for (int i = 0; i < 4; ++i) of.x_strides[i] = x.strides[i];
    for (int i = 0; i < 3; ++i) of.map_strides[i] = maps.strides[i];
    with_compute_type(out.dtype, [&](auto type) {
        launch_batched<affine_sample_pixels<decltype(type)>, unbounded>(elementwise_grid(count),
                                                                        queue.stream(), of);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
