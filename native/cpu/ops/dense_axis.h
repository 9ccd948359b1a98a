// An axis of dense float32 operands that all lie in one memory order: [outer, length, inner] in memory,
// whatever their logical shape.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

struct DenseAxis {
    int64_t outer, length, inner;

    // Nothing where an operand is of another dtype, has gaps, or lies in another order than the first.
    static std::optional<DenseAxis> of(std::initializer_list<const TensorView*> operands, int64_t axis) {
        const TensorView& first = **operands.begin();
        for (const TensorView* view : operands) {
            if (view->dtype != DType::float32 || !is_dense(*view) || !same_order(*view, first)) return {};
        }
        const int64_t length = first.shape[axis], count = element_count(first);
        // Of an axis of size 1 the stride means nothing.
        const int64_t inner = length == 1 ? 1 : first.strides[axis];
        if (length == 0 || count == 0) return {};
        return DenseAxis{count / (length * inner), length, inner};
    }

    // body(first, count) where the axis is the innermost: rows side by side
    template <class Body>
    void each_rows(const Body& body) const {
        const int64_t per_task = std::max<int64_t>(1, task_elements / length);
        parallel_for((outer + per_task - 1) / per_task, [&](int64_t task) {
            body(task * per_task, std::min(per_task, outer - task * per_task));
        });
    }

    // body(offset, width) for columns that lie side by side, `inner` apart along the axis
    template <class Body>
    void each_columns(const Body& body) const {
        constexpr int64_t line = 64;
        const int64_t wanted = std::max<int64_t>(line, task_elements / length / line * line);
        const int64_t piece = std::min(inner, wanted), pieces = (inner + piece - 1) / piece;
        const int64_t per_task = std::max<int64_t>(1, task_elements / (piece * length));
        const int64_t count = outer * pieces;
        parallel_for((count + per_task - 1) / per_task, [&](int64_t task) {
            const int64_t end = std::min(count, (task + 1) * per_task);
            for (int64_t i = task * per_task; i < end; ++i) {
                const int64_t start = i % pieces * piece;
                body(i / pieces * length * inner + start, std::min(piece, inner - start));
            }
        });
    }

  private:
    static constexpr int64_t task_elements = 16384;

    static bool same_order(const TensorView& a, const TensorView& b) {
        if (a.rank != b.rank) return false;
        for (int32_t i = 0; i < a.rank; ++i) {
            if (a.shape[i] != b.shape[i] || (a.shape[i] != 1 && a.strides[i] != b.strides[i])) return false;
        }
        return true;
    }
};

inline float* floats(const TensorView& view) { return static_cast<float*>(view.data); }

}  // namespace nativegrad::cpu
