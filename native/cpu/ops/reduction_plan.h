// The axes of a reduction, split into those that stay and those that go, with few and long strides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "backend/error.h"
#include "ops/op_params.h"
#include "tensor/tensor_view.h"

namespace nativegrad::cpu {

// A small shape of its own over some axes of a tensor.
struct AxisSet {
    int32_t rank = 0;
    int64_t shape[max_rank] = {};
    int64_t strides[max_rank] = {};
    int64_t count = 1;

    void append(int64_t size, int64_t stride) {
        count *= size;
        shape[rank] = size;
        strides[rank++] = stride;
    }

    // Largest stride first: the order in which memory is walked.
    void sort() {
        for (int32_t i = 1; i < rank; ++i) {
            for (int32_t j = i; j > 0 && strides[j - 1] < strides[j]; --j) {
                std::swap(strides[j - 1], strides[j]);
                std::swap(shape[j - 1], shape[j]);
            }
        }
    }

    // Drops axes of size 1 and joins neighbours that one stride walks.
    void coalesce() {
        int32_t kept = 0;
        for (int32_t i = 0; i < rank; ++i) {
            if (shape[i] == 1) continue;
            if (kept > 0 && strides[kept - 1] == shape[i] * strides[i]) {
                shape[kept - 1] *= shape[i];
                strides[kept - 1] = strides[i];
            } else {
                shape[kept] = shape[i];
                strides[kept++] = strides[i];
            }
        }
        rank = kept;
    }

    int64_t offset(int64_t index) const {
        int64_t result = 0;
        for (int32_t axis = rank - 1; axis >= 0; --axis) {
            result += index % shape[axis] * strides[axis];
            index /= shape[axis];
        }
        return result;
    }

    int64_t inner_stride() const { return rank == 0 ? 1 : strides[rank - 1]; }

    // body(offset, n): runs of at most `longest` elements at inner_stride that cover the indices [begin, end)
    template <class Body>
    void each_run(int64_t begin, int64_t end, int64_t longest, const Body& body) const {
        const int64_t inner = rank == 0 ? 1 : shape[rank - 1];
        while (begin < end) {
            const int64_t n = std::min({end - begin, inner - begin % inner, longest});
            body(offset(begin), n);
            begin += n;
        }
    }
};

struct ReductionPlan {
    AxisSet kept, reduced;  // kept axes run in the order of the output
    int64_t outputs = 1, count = 1;

    // `ordered`: the reduced elements keep their logical order, for ops that number them.
    ReductionPlan(const TensorView& x, const IntList& axes, bool ordered) {
        bool goes[max_rank] = {};
        for (int32_t i = 0; i < axes.count; ++i) {
            if (axes.values[i] < 0 || axes.values[i] >= x.rank)
                fail("axis %lld of rank %d", static_cast<long long>(axes.values[i]), x.rank);
            goes[axes.values[i]] = true;
        }
        for (int32_t axis = 0; axis < x.rank; ++axis)
            (goes[axis] ? reduced : kept).append(x.shape[axis], x.strides[axis]);
        outputs = kept.count;
        count = reduced.count;
        if (!ordered) reduced.sort();
        kept.coalesce();
        reduced.coalesce();
    }

    // The kept axis whose elements lie side by side while reduced ones do not, or -1: there whole rows of
    // outputs are reduced at once.
    int32_t column_axis() const {
        if (reduced.rank == 0 || reduced.inner_stride() == 1) return -1;
        for (int32_t axis = 0; axis < kept.rank; ++axis) {
            if (kept.strides[axis] == 1) return axis;
        }
        return -1;
    }
};

}  // namespace nativegrad::cpu
