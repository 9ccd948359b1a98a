#include "kernels/product/library_product.h"

#include "device/device.h"
#include "gemm/cublaslt.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// Asked once: a library that turns up later would change the bits of products in the middle of a training.
bool is_library_there() {
    static const bool ready = load_cublaslt().ready;
    return ready;
}

// Rows that lie side by side and apart by `row`, of `columns` elements.
bool is_stored(int64_t step, int64_t row, int64_t columns) { return step == 1 && row >= columns; }

// The library has algorithms for less, but not for every shape.
bool is_aligned_matrix(const void* data, int64_t row, int64_t step, DType dtype) {
    const auto item = static_cast<int64_t>(item_size(dtype));
    return is_aligned(data, 16) && row * item % 16 == 0 && step * item % 16 == 0;
}

// Describes the factors; false where neither their rows nor their columns are dense.
bool describe(const TiledProduct& product, Product& p) {
    const StridedOperand &a = product.a, &b = product.b;
    if (product.batches.rank != 1) return false;
    p.type = a.dtype;
    p.m = product.m;
    p.n = product.n;
    p.k = product.k;
    p.batch = product.batches.count();
    if (p.batch > 1) {
        p.stride_c = product.batches.strides[0][0];
        p.stride_a = product.batches.strides[1][0];
        p.stride_b = product.batches.strides[2][0];
    }
    p.transpose_a = !is_stored(a.depth_stride, a.row_stride, p.k);
    p.row_a = p.transpose_a ? a.depth_stride : a.row_stride;
    if (p.transpose_a && !is_stored(a.row_stride, a.depth_stride, p.m)) return false;
    p.transpose_b = !is_stored(b.row_stride, b.depth_stride, p.n);
    p.row_b = p.transpose_b ? b.row_stride : b.depth_stride;
    if (p.transpose_b && !is_stored(b.depth_stride, b.row_stride, p.k)) return false;
    return is_aligned_matrix(a.data, p.row_a, p.stride_a, p.type) &&
           is_aligned_matrix(b.data, p.row_b, p.stride_b, p.type);
}

// Whether the library can write the result itself, with the bias.
bool ends_in_library(const Finish& finish, DType type, int64_t n) {
    const bool is_half = item_size(type) == 2;
    const bool bias_fits =
        !finish.has_bias ||
        (finish.bias.data != nullptr && is_aligned(finish.bias.data, 16) &&
         finish.bias.dtype == finish.dtype && finish.bias_stride == 1 && type != DType::float64);
    return finish.kind == FinishKind::store && finish.sums == nullptr && finish.rounds == finish.dtype &&
           finish.column_stride == 1 && finish.row_stride >= n &&
           is_aligned_matrix(finish.out, finish.row_stride, 0, finish.dtype) && bias_fits &&
           finish.bias_batch == 0 && (finish.dtype == type || (is_half && finish.dtype == DType::float32));
}

// Whether the library can also write the sums of a's rows.
bool sums_in_library(const TiledProduct& product) {
    const Finish* sums = product.row_sums;
    return sums != nullptr && sums->kind == FinishKind::store && sums->dtype == product.finish.dtype &&
           sums->rounds == sums->dtype && sums->column_stride == 1 && !sums->has_bias &&
           sums->dtype != DType::float64 && product.batches.count() == 1 && is_aligned(sums->out, 16);
}

}  // namespace

bool library_takes(const TiledProduct& product) {
    const StridedOperand &a = product.a, &b = product.b;
    if (a.dtype != b.dtype || !is_float(a.dtype) || product.k == 0) return false;
    const bool is_double = compute_class(product.finish.dtype) == ComputeClass::f64;
    if (!is_float(product.finish.dtype) || is_double != (a.dtype == DType::float64)) return false;
    Product p;
    return describe(product, p) && is_library_there();
}

bool multiply_by_library(const TiledProduct& product, Queue& queue, bool& has_row_sums) {
    has_row_sums = false;
    const StridedOperand &a = product.a, &b = product.b;
    Product p;
    if (!library_takes(product) || !describe(product, p)) return false;
    const bool is_double = p.type == DType::float64;
    const Scratch workspace(queue, product_workspace_bytes);
    const Workspace room{workspace.as<void>(), product_workspace_bytes};
    const Finish& finish = product.finish;
    if (ends_in_library(finish, p.type, p.n)) {
        p.output = finish.dtype;
        p.row_c = finish.row_stride;
        if (finish.has_bias) {
            p.epilogue = Epilogue::bias;
            p.bias = const_cast<void*>(finish.bias.data);
        } else if (sums_in_library(product)) {
            p.epilogue = Epilogue::sum_a;
            p.bias = product.row_sums->out;
            has_row_sums = multiply(p, a.data, b.data, finish.out, room, queue.stream());
            if (has_row_sums) return true;
            p.epilogue = Epilogue::none;
            p.bias = nullptr;
        }
        return multiply(p, a.data, b.data, finish.out, room, queue.stream());
    }
    p.output = is_double ? DType::float64 : DType::float32;
    p.row_c = p.n;
    p.stride_c = p.m * p.n;
    const ProductShape shape{p.m, p.n, p.k, p.batch, 1, p.k};
    const Scratch sums(queue, static_cast<size_t>(p.batch * p.m * p.n) * item_size(p.output));
    if (!multiply(p, a.data, b.data, sums.as<void>(), room, queue.stream())) return false;
    if (is_double)
        join_parts(sums.as<double>(), shape, product.batches, finish, queue.stream());
    else
        join_parts(sums.as<float>(), shape, product.batches, finish, queue.stream());
    return true;
}

}  // namespace nativegrad::cuda
