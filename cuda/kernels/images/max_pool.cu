#include "backend/ops.h"
#include "device/device.h"
#include "kernels/images/images.h"
#include "kernels/strided.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

struct Windows {
    int64_t kernel[2], stride[2], padding[2], dilation[2];

    Windows(const PoolParams& params, const TensorView& x, const TensorView& y) {
        if (x.rank != 4 || y.rank != 4 || x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1])
            fail("batch or channels differ");
        if (params.kernel.count != 2 || params.stride.count != 2 || params.padding.count != 2 ||
            params.dilation.count != 2)
            fail("expected two values each of kernel, stride, padding and dilation");
        for (int axis = 0; axis < 2; ++axis) {
            kernel[axis] = params.kernel.values[axis];
            stride[axis] = params.stride.values[axis];
            padding[axis] = params.padding.values[axis];
            dilation[axis] = params.dilation.values[axis];
            if (kernel[axis] < 1 || stride[axis] < 1 || dilation[axis] < 1 || padding[axis] < 0)
                fail("kernel, stride and dilation must be positive, padding not negative");
            const int64_t last = (y.shape[2 + axis] - 1) * stride[axis] - padding[axis];
            if (y.shape[2 + axis] > 0 && last >= x.shape[2 + axis]) fail("a window lies outside the image");
        }
    }

    // The tap of the window at `out` that lies on `position`; -1 where none does.
    __device__ __forceinline__ int64_t tap(int axis, int64_t out, int64_t position) const {
        const int64_t from_start = position + padding[axis] - out * stride[axis];
        return from_start % dilation[axis] == 0 ? from_start / dilation[axis] : -1;
    }
    // The first and the last window that may reach `position`, of `count` windows.
    __device__ __forceinline__ int64_t first(int axis, int64_t position) const {
        const int64_t behind = position + padding[axis] - (kernel[axis] - 1) * dilation[axis];
        return behind <= 0 ? 0 : (behind + stride[axis] - 1) / stride[axis];
    }
    __device__ __forceinline__ int64_t last(int axis, int64_t position, int64_t count) const {
        const int64_t at = (position + padding[axis]) / stride[axis];
        return at < count ? at : count - 1;
    }
};

// Positions of maxima, channels last: uint8, or int32 with elements one at a time.
struct Maxima {
    void* data;
    bool small;

    explicit Maxima(const TensorView& index) : data(index.data), small(index.dtype == DType::uint8) {}
    template <int width>
    __device__ __forceinline__ void load(int64_t at, int32_t (&found)[width]) const {
        if (width == 1 && !small) {
            found[0] = static_cast<const int32_t*>(data)[at];
            return;
        }
        const Pack<uint8_t, width> pack = load_pack<width>(static_cast<const uint8_t*>(data) + at);
        for (int k = 0; k < width; ++k) found[k] = pack[k];
    }
    template <int width>
    __device__ __forceinline__ void store(int64_t at, const int32_t (&found)[width]) const {
        if (width == 1 && !small) {
            static_cast<int32_t*>(data)[at] = found[0];
            return;
        }
        Pack<uint8_t, width> pack;
        for (int k = 0; k < width; ++k) pack[k] = static_cast<uint8_t>(found[k]);
        store_pack(static_cast<uint8_t*>(data) + at, pack);
    }
};

// x [N, C, H, W] -> y [N, C, H', W'], index [N, H', W', C]; a thread for a window of Elements::width channels
template <class Elements>
__device__ __forceinline__ void largest_of_windows(const Elements& x, const ImageShape& from,
                                                   const Elements& y, const ImageShape& to,
                                                   const Maxima& index, const Windows& windows,
                                                   int64_t count) {
    using T = typename Elements::Compute;
    constexpr int width = Elements::width;
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const Pixel out = pixel_at(to, i, width);
        T best[width], values[width];
        int32_t found[width];
        for (int k = 0; k < width; ++k) {
            best[k] = -static_cast<T>(infinity());
            found[k] = 0;
        }
        bool is_first = true;
        for (int64_t r = 0; r < windows.kernel[0]; ++r) {
            const int64_t row = out.row * windows.stride[0] - windows.padding[0] + r * windows.dilation[0];
            if (row < 0 || row >= from.height) continue;
            for (int64_t s = 0; s < windows.kernel[1]; ++s) {
                const int64_t column =
                    out.column * windows.stride[1] - windows.padding[1] + s * windows.dilation[1];
                if (column < 0 || column >= from.width) continue;
                x.load(from.offset(out.n, out.c, row, column), values);
                for (int k = 0; k < width; ++k) {
                    if (!is_first && !(values[k] > best[k]) && values[k] == values[k]) continue;
                    best[k] = values[k];
                    found[k] = static_cast<int32_t>(r * windows.kernel[1] + s);
                }
                is_first = false;
            }
        }
        y.store(to.offset(out.n, out.c, out.row, out.column), best);
        index.store(to.channels_last(out.n, out.c, out.row, out.column), found);
    }
}

// dy [N, C, H', W'], index [N, H', W', C] -> dx [N, C, H, W]; a thread adds up what the windows give to a
// pixel, in their order
template <class Elements>
__device__ __forceinline__ void gradients_of_pixels(const Elements& dy, const ImageShape& from,
                                                    const Maxima& index, const Elements& dx,
                                                    const ImageShape& to, const Windows& windows,
                                                    int64_t count) {
    using T = typename Elements::Compute;
    constexpr int width = Elements::width;
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const Pixel at = pixel_at(to, i, width);
        T sums[width], values[width];
        int32_t found[width];
        for (int k = 0; k < width; ++k) sums[k] = 0;
        const int64_t last_row = windows.last(0, at.row, from.height);
        const int64_t last_column = windows.last(1, at.column, from.width);
        for (int64_t row = windows.first(0, at.row); row <= last_row; ++row) {
            const int64_t r = windows.tap(0, row, at.row);
            if (r < 0) continue;
            for (int64_t column = windows.first(1, at.column); column <= last_column; ++column) {
                const int64_t s = windows.tap(1, column, at.column);
                if (s < 0) continue;
                const int32_t tap = static_cast<int32_t>(r * windows.kernel[1] + s);
                index.load(from.channels_last(at.n, at.c, row, column), found);
                dy.load(from.offset(at.n, at.c, row, column), values);
                for (int k = 0; k < width; ++k) sums[k] += found[k] == tap ? values[k] : T(0);
            }
        }
        dx.store(to.offset(at.n, at.c, at.row, at.column), sums);
    }
}

void check_index(const TensorView& index, const TensorView& y) {
    bool same = index.rank == y.rank && (index.dtype == DType::uint8 || index.dtype == DType::int32);
    for (int32_t axis = 0; same && axis < y.rank; ++axis) same = index.shape[axis] == y.shape[axis];
    if (!same || !is_channels_last(index)) fail("the index must be uint8 or int32, channels last");
}

void check_float(const TensorView& view) {
    if (!is_float(view.dtype)) fail("needs a float dtype, got %s", dtype_name(view.dtype));
}

bool index_packs(const TensorView& index) {
    return index.dtype == DType::uint8 && is_aligned(index.data, 16);
}

}  // namespace

namespace ops {

// x [N, C, H, W] -> y [N, C, H', W'], index [N, C, H', W']: position of the maximum in its window, row by
// row, uint8 where that fits, else int32
void max_pool2d(const OpCall& call, const PoolParams& params, Queue& queue) {
    expect_operands(call, 1, 2);
    const TensorView &x = call.inputs[0], &y = call.outputs[0], &index = call.outputs[1];
    const Windows windows(params, x, y);
    check_index(index, y);
    if (element_count(y) == 0) return;
    check_float(y);
    with_elements(y, x, index_packs(index), [&](auto elements) {
        using Elements = typename decltype(elements)::type;
        const int64_t count = element_count(y) / Elements::width;
        launch_batched<largest_of_windows<Elements>, unbounded>(elementwise_grid(count), queue.stream(),
                                                                Elements(x), ImageShape(x), Elements(y),
                                                                ImageShape(y), Maxima(index), windows, count);
    });
}

// dy [N, C, H', W'], index [N, C, H', W'] -> dx [N, C, H, W]
void max_pool2d_backward(const OpCall& call, const PoolParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView &dy = call.inputs[0], &index = call.inputs[1], &dx = call.outputs[0];
    const Windows windows(params, dx, dy);
    check_index(index, dy);
    if (element_count(dx) == 0) return;
    check_float(dx);
    with_elements(dx, dy, index_packs(index), [&](auto elements) {
        using Elements = typename decltype(elements)::type;
        const int64_t count = element_count(dx) / Elements::width;
        launch_batched<gradients_of_pixels<Elements>, unbounded>(
            elementwise_grid(count), queue.stream(), Elements(dy), ImageShape(dy), Maxima(index),
            Elements(dx), ImageShape(dx), windows, count);
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
