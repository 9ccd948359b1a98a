// The two products of convolutions, a group of channels after the other.
#pragma once

#include "backend/queue.h"
#include "kernels/conv/image_operand.h"
#include "kernels/product/product.h"

namespace nativegrad::cuda {

// Elements from one group to the next, of the result and of both factors.
struct GroupSteps {
    int64_t groups, out, left, right;
};

// image [pixels, taps], w [columns, taps] -> finish [pixels, columns] for each group
void multiply_pixels(const ImageOperand& image, const StridedOperand& w, const GroupSteps& steps,
                     const Finish& finish, Queue& queue);

// dy [rows, pixels], image [taps, pixels] -> finish [rows, taps] for each group
void multiply_taps(const StridedOperand& dy, const ImageOperand& image, const GroupSteps& steps,
                   const Finish& finish, Queue& queue);

}  // namespace nativegrad::cuda
