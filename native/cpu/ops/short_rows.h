// Broadcast operands whose inner runs are short, read as blocks of many rows. The output lies without gaps;
// each input lies so too, repeats one row, or has one value for each row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/ops/strided_loop.h"

namespace nativegrad::cpu {

enum class RowKind { dense, repeated, spread, other };

template <int operands>
RowKind row_kind(const StridedLoop<operands>& loop, int op) {
    const int64_t inner = loop.inner_stride(op), row = loop.strides[op][loop.rank - 2];
    if (inner == 1 && row == loop.inner()) return RowKind::dense;
    if (row == 0) return RowKind::repeated;
    return inner == 0 ? RowKind::spread : RowKind::other;
}

template <class T>
class RowsInput {
  public:
    template <int operands>
    RowsInput(const TensorView& view, const StridedLoop<operands>& loop, int op)
        : view_(view),
          kind_(row_kind(loop, op)),
          n_(loop.inner()),
          inner_(loop.inner_stride(op)),
          row_(loop.strides[op][loop.rank - 2]) {}

    // `rows` rows from this element on, side by side
    const T* read(int64_t offset, int64_t rows) {
        const void* from = element(view_, offset);
        if (kind_ == RowKind::dense) {
            if (view_.dtype == own_dtype<T>()) return static_cast<const T*>(from);
            load_block(view_.dtype, from, 1, rows * n_, buffer_);
        } else if (kind_ == RowKind::repeated) {
            if (offset == repeated_offset_ && rows <= repeated_rows_) return buffer_;
            load_block(view_.dtype, from, inner_, n_, buffer_);
            for (int64_t r = 1; r < rows; ++r) std::copy(buffer_, buffer_ + n_, buffer_ + r * n_);
            repeated_offset_ = offset;
            repeated_rows_ = rows;
        } else {
            T values[block_size];
            load_block(view_.dtype, from, row_, rows, values);
            for (int64_t r = 0; r < rows; ++r) std::fill(buffer_ + r * n_, buffer_ + (r + 1) * n_, values[r]);
        }
        return buffer_;
    }

  private:
    const TensorView& view_;
    RowKind kind_;
    int64_t n_, inner_, row_, repeated_offset_ = -1, repeated_rows_ = 0;
    T buffer_[block_size];
};

// Whether the last two axes of the loop are rows that are worth taking together.
template <int operands>
bool has_short_rows(const StridedLoop<operands>& loop) {
    if (loop.rank < 2 || loop.inner() == 0 || 2 * loop.inner() > block_size) return false;
    if (row_kind(loop, 0) != RowKind::dense) return false;
    for (int op = 1; op < operands; ++op) {
        if (row_kind(loop, op) == RowKind::other) return false;
    }
    return true;
}

// make() gives the state of a task; body(state, offsets[operands], rows): at most block_size elements from
// there
template <int operands, class Make, class Body>
void each_row_block(const StridedLoop<operands>& loop, const Make& make, const Body& body) {
    const int32_t row_axis = loop.rank - 2;
    const int64_t rows = loop.shape[row_axis], size = block_size / loop.inner();
    const int64_t per_plane = (rows + size - 1) / size;
    int64_t planes = 1;
    for (int32_t axis = 0; axis < row_axis; ++axis) planes *= loop.shape[axis];
    constexpr int64_t per_task = 16;
    const int64_t blocks = planes * per_plane;
    parallel_for((blocks + per_task - 1) / per_task, [&](int64_t task) {
        auto state = make();
        const int64_t end = std::min(blocks, (task + 1) * per_task);
        for (int64_t block = task * per_task; block < end; ++block) {
            const int64_t first = block % per_plane * size;
            int64_t offsets[operands], plane = block / per_plane;
            for (int op = 0; op < operands; ++op) offsets[op] = first * loop.strides[op][row_axis];
            for (int32_t axis = row_axis - 1; axis >= 0; --axis) {
                for (int op = 0; op < operands; ++op)
                    offsets[op] += plane % loop.shape[axis] * loop.strides[op][axis];
                plane /= loop.shape[axis];
            }
            body(state, offsets, std::min(size, rows - first));
        }
    });
}

}  // namespace nativegrad::cpu
