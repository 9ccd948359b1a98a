// The axes over which operands of one shape (strides may be 0) are walked: those of size 1 left out, those
// that lie in one another joined, in the memory order of operand 0. Plain data: it is a parameter of kernels.
#pragma once

#include <cstdint>
#include <utility>

#include "tensor/tensor_view.h"

namespace nativegrad {

template <int operands>
struct StridedAxes {
    int32_t rank = 0;
    int64_t shape[max_rank];
    int64_t strides[operands][max_rank];  // in elements, axis 0 slowest

    // Operand 0 is the output: its memory order decides the order of the axes. All views have the output's
    // shape.
    explicit StridedAxes(const TensorView* const (&views)[operands]) {
        int32_t axes[max_rank];
        for (int32_t axis = 0; axis < views[0]->rank; ++axis) {
            if (views[0]->shape[axis] != 1) axes[rank++] = axis;
        }
        for (int32_t i = 1; i < rank; ++i) {
            for (int32_t j = i; j > 0 && views[0]->strides[axes[j - 1]] < views[0]->strides[axes[j]]; --j) {
                std::swap(axes[j - 1], axes[j]);
            }
        }
        for (int32_t i = 0; i < rank; ++i) {
            shape[i] = views[0]->shape[axes[i]];
            for (int op = 0; op < operands; ++op) strides[op][i] = views[op]->strides[axes[i]];
        }
        coalesce();
        if (rank == 0) {
            rank = 1;
            shape[0] = 1;
            for (int op = 0; op < operands; ++op) strides[op][0] = 1;
        }
    }

    int64_t count() const {
        int64_t product = 1;
        for (int32_t axis = 0; axis < rank; ++axis) product *= shape[axis];
        return product;
    }

    // All operands lie densely in the same order (or are one value): element i of each is at i (or at 0).
    bool is_dense() const {
        if (rank != 1) return false;
        for (int op = 0; op < operands; ++op) {
            if (strides[op][0] != 1 && strides[op][0] != 0) return false;
        }
        return strides[0][0] == 1;
    }

  private:
    void coalesce() {
        int32_t kept = 0;
        for (int32_t axis = 1; axis < rank; ++axis) {
            bool joins = true;
            for (int op = 0; op < operands; ++op)
                joins = joins && strides[op][kept] == shape[axis] * strides[op][axis];
            if (joins) {
                shape[kept] *= shape[axis];
            } else {
                shape[++kept] = shape[axis];
            }
            for (int op = 0; op < operands; ++op) strides[op][kept] = strides[op][axis];
        }
        if (rank > 0) rank = kept + 1;
    }
};

}  // namespace nativegrad
