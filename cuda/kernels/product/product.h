// Products of matrices of any strides and dtypes, on the queue.
#pragma once

#include "backend/queue.h"
#include "kernels/product/finish.h"
#include "kernels/product/operand.h"
#include "kernels/strided.h"

namespace nativegrad::cuda {

// The depth is divided into `parts` of part_depth, whose sums are joined in their order by a second kernel.
struct ProductShape {
    int64_t m, n, k, batches, parts, part_depth;
};

// Planes of blocks that share the batches among them.
__host__ __device__ constexpr int64_t batch_planes(const ProductShape& shape) {
    return shape.batches < 65535 ? shape.batches : 65535;
}

// a [M, K] (rows, depth), b [K, N] (depth, rows) -> finish. Batches walk the operands out, a, b.
struct TiledProduct {
    int64_t m, n, k;
    StridedOperand a, b;
    StridedAxes<3> batches;
    Finish finish;
    // Of the sums over K of a, [M], where they are wanted; for a product that is alone.
    const Finish* row_sums = nullptr;
};

// Axes of a product that is alone.
StridedAxes<3> single_product();

// A factor of `rows` and `depth`.
StridedOperand operand_of(const TensorView& x, int64_t rows, int64_t row_stride, int64_t depth,
                          int64_t depth_stride);

inline DType own_dtype(float) { return DType::float32; }
inline DType own_dtype(double) { return DType::float64; }
inline DType own_dtype(int64_t) { return DType::int64; }

// How a factor, operand 1 or 2 of the batches, can be read in elements of `own`.
Access access_of(const StridedOperand& x, DType own, const StridedAxes<3>& batches, int operand);

// In the compute type of the output. False: the row sums are not there yet.
bool multiply(const TiledProduct& product, Queue& queue);

// partials [parts, batches, m, n] -> sums over the parts in their order, finished
template <class T>
void join_parts(const T* partials, const ProductShape& shape, const StridedAxes<3>& batches,
                const Finish& finish, Stream stream);

}  // namespace nativegrad::cuda
