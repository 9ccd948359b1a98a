#include "kernels/product/product.h"

#include "device/device.h"
#include "kernels/product/device_limits.h"
#include "kernels/product/half_choice.h"
#include "kernels/product/maker.h"
#include "kernels/product/own_product.h"
#include "kernels/product/split_choice.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// partials [parts, batches, m, n] -> finish [batches; m, n]
template <class T>
__device__ __forceinline__ void join_partials(const T* partials, const ProductShape& shape,
                                              const StridedAxes<3>& batches, const Finish& finish) {
    const int64_t each = shape.m * shape.n, all = shape.batches * each;
    for (int64_t i = grid_thread_index(); i < all; i += grid_thread_count()) {
        T sum = partials[i];
        for (int64_t part = 1; part < shape.parts; ++part) sum += partials[part * all + i];
        const int64_t batch = i / each, within = i - batch * each, row = within / shape.n;
        finish_element(finish, batch, locate(batches, batch).of[0], row, within - row * shape.n, sum);
    }
}

bool steps_by(const StridedAxes<3>& batches, int operand, int64_t width) {
    for (int32_t axis = 0; axis < batches.rank; ++axis) {
        if (batches.shape[axis] > 1 && batches.strides[operand][axis] % width != 0) return false;
    }
    return true;
}

}  // namespace

Access access_of(const StridedOperand& x, DType own, const StridedAxes<3>& batches, int operand) {
    if (x.dtype != own) return Access::converted;
    const int64_t width = 16 / static_cast<int64_t>(item_size(own));
    if (!is_aligned(x.data, 16) || !steps_by(batches, operand, width)) return Access::elements;
    if (x.depth_stride == 1 && x.depth % width == 0 && (x.rows == 1 || x.row_stride % width == 0))
        return Access::depth_chunks;
    const bool by_rows = item_size(own) == 2 && x.row_stride == 1 && x.rows % width == 0 &&
                         (x.depth == 1 || x.depth_stride % width == 0);
    return by_rows ? Access::row_chunks : Access::elements;
}

bool has_tensor_cores(DType dtype, const Queue& queue) {
    if (dtype != DType::float16 && dtype != DType::bfloat16) return false;
    return capability_of(queue.ordinal()) >= (dtype == DType::float16 ? 75 : 80);
}

StridedAxes<3> single_product() {
    TensorView none{};
    return StridedAxes<3>({&none, &none, &none});
}

StridedOperand operand_of(const TensorView& x, int64_t rows, int64_t row_stride, int64_t depth,
                          int64_t depth_stride) {
    return {x.data, x.dtype, Access::converted, rows, depth, row_stride, depth_stride};
}

template <class T>
void join_parts(const T* partials, const ProductShape& shape, const StridedAxes<3>& batches,
                const Finish& finish, Stream stream) {
    launch_batched<join_partials<T>, unbounded>(elementwise_grid(shape.batches * shape.m * shape.n), stream,
                                                partials, shape, batches, finish);
}

template void join_parts(const float*, const ProductShape&, const StridedAxes<3>&, const Finish&, Stream);
template void join_parts(const double*, const ProductShape&, const StridedAxes<3>&, const Finish&, Stream);
template void join_parts(const int64_t*, const ProductShape&, const StridedAxes<3>&, const Finish&, Stream);

namespace {

// In one launch where that is best; false, and nothing done, where it is not.
bool multiply_in_one(const TiledProduct& product, Queue& queue) {
    const ProductShape shape{product.m, product.n, product.k, product.batches.count(), 1, product.k};
    const DType dtype = product.a.dtype;
    if (dtype != product.b.dtype || compute_class(product.finish.dtype) != ComputeClass::f32) return false;
    if (dtype != DType::float32 && !has_tensor_cores(dtype, queue)) return false;
    const int side = split_side(shape, dtype);
    if (side == 0 || shared_limit_of(queue.ordinal()) < split_bytes(side, dtype)) return false;
    StridedOperand a = product.a, b = product.b;
    a.access = access_of(a, dtype, product.batches, 1);
    b.access = access_of(b, dtype, product.batches, 2);
    const auto start = [&](auto type) {
        multiply_split<decltype(type)>(side, a, b, shape, product.batches, product.finish, product.row_sums,
                                       queue.stream());
    };
    if (dtype == DType::float32)
        start(0.0f);
    else if (dtype == DType::float16)
        start(Float16{});
    else
        start(BFloat16{});
    return true;
}

}  // namespace

bool multiply_by_own_kernels(const TiledProduct& product, Queue& queue) {
    if (multiply_in_one(product, queue)) return true;
    StridedOperand a = product.a, b = product.b;
    a.access = access_of(a, a.dtype, product.batches, 1);
    b.access = access_of(b, b.dtype, product.batches, 2);
    if (multiply_on_tensor_cores(a, b, product.m, product.n, product.k, product.batches, product.finish,
                                 queue))
        return false;
    with_compute_type(product.finish.dtype, [&](auto type) {
        using T = decltype(type);
        a.access = access_of(a, own_dtype(type), product.batches, 1);
        b.access = access_of(b, own_dtype(type), product.batches, 2);
        multiply_in_tiles<T>(a, b, product.m, product.n, product.k, product.batches, product.finish, queue);
    });
    return false;
}

bool multiply(const TiledProduct& product, Queue& queue) {
    if (product.m == 0 || product.n == 0 || product.batches.count() == 0) return false;
    bool has_row_sums = false;
    if (is_made_by_library(product, queue, has_row_sums)) return has_row_sums;
    return multiply_by_own_kernels(product, queue);
}

}  // namespace nativegrad::cuda
