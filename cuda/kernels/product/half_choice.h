// Products on tensor cores, where the factors are two-byte floats of one dtype and the device can.
#pragma once

#include "kernels/product/tile_choice.h"

namespace nativegrad::cuda {

// Whether products of that dtype run on the tensor cores of the queue's device.
bool has_tensor_cores(DType dtype, const Queue& queue);

// The factors' access says how their tiles come: row_chunks, depth_chunks or elements.
template <class Half, class Left, class Right>
void multiply_halves(const Left& a, const Right& b, int64_t m, int64_t n, int64_t k,
                     const StridedAxes<3>& batches, const Finish& finish, Queue& queue);

// The same for the dtype of both; false, and nothing done, where no tensor core does that.
template <class Left, class Right>
bool multiply_on_tensor_cores(const Left& a, const Right& b, int64_t m, int64_t n, int64_t k,
                              const StridedAxes<3>& batches, const Finish& finish, Queue& queue) {
    if (a.dtype != b.dtype || compute_class(finish.dtype) != ComputeClass::f32) return false;
    if (!has_tensor_cores(a.dtype, queue)) return false;
    if (a.dtype == DType::float16)
        multiply_halves<Float16>(a, b, m, n, k, batches, finish, queue);
    else
        multiply_halves<BFloat16>(a, b, m, n, k, batches, finish, queue);
    return true;
}

}  // namespace nativegrad::cuda
