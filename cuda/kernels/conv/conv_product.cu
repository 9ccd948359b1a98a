#include "kernels/conv/conv_product.h"

#include "device/device.h"
#include "kernels/product/half_choice.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

StridedAxes<3> group_axes(const GroupSteps& steps) {
    TensorView out{}, left{}, right{};
    out.rank = left.rank = right.rank = 1;
    out.shape[0] = left.shape[0] = right.shape[0] = steps.groups;
    out.strides[0] = steps.out;
    left.strides[0] = steps.left;
    right.strides[0] = steps.right;
    return StridedAxes<3>({&out, &left, &right});
}

// How an image can be read in elements of `own`; a chunk are channels of one tap.
Access image_access(const ImageOperand& image, DType own, int64_t group_step) {
    if (image.dtype != own) return Access::converted;
    const int64_t width = 16 / static_cast<int64_t>(item_size(own));
    if (image.turned && item_size(own) != 2) return Access::elements;
    bool in_chunks = image.strides[1] == 1 && image.channels.divisor % width == 0 &&
                     group_step % width == 0 && is_aligned(image.data, 16);
    for (const int axis : {0, 2, 3}) in_chunks = in_chunks && image.strides[axis] % width == 0;
    if (!in_chunks) return Access::elements;
    return image.turned ? Access::row_chunks : Access::depth_chunks;
}

}  // namespace

void multiply_pixels(const ImageOperand& given, const StridedOperand& weights, const GroupSteps& steps,
                     const Finish& finish, Queue& queue) {
    const StridedAxes<3> groups = group_axes(steps);
    ImageOperand image = given;
    StridedOperand w = weights;
    image.access = image_access(image, image.dtype, steps.left);
    w.access = access_of(w, w.dtype, groups, 2);
    if (multiply_on_tensor_cores(image, w, image.pixels, w.rows, image.taps, groups, finish, queue)) return;
    with_float_compute(finish.dtype, [&](auto type) {
        using T = decltype(type);
        image.access = image_access(image, own_dtype(type), steps.left);
        w.access = access_of(w, own_dtype(type), groups, 2);
        multiply_in_tiles<T>(image, w, image.pixels, w.rows, image.taps, groups, finish, queue);
    });
}

void multiply_taps(const StridedOperand& gradient, const ImageOperand& given, const GroupSteps& steps,
                   const Finish& finish, Queue& queue) {
    const StridedAxes<3> groups = group_axes(steps);
    ImageOperand image = given;
    StridedOperand dy = gradient;
    dy.access = access_of(dy, dy.dtype, groups, 1);
    image.access = image_access(image, image.dtype, steps.right);
    if (multiply_on_tensor_cores(dy, image, dy.rows, image.taps, image.pixels, groups, finish, queue)) return;
    with_float_compute(finish.dtype, [&](auto type) {
        using T = decltype(type);
        dy.access = access_of(dy, own_dtype(type), groups, 1);
        image.access = image_access(image, own_dtype(type), steps.right);
        multiply_in_tiles<T>(dy, image, dy.rows, image.taps, image.pixels, groups, finish, queue);
    });
}

}  // namespace nativegrad::cuda
