// Two sums over each column of rows side by side, in pieces that are joined later: what weights and biases of
// normalisation get as gradients.
#pragma once

#include "device/device.h"

namespace nativegrad::cuda {

struct ColumnSums {
    double sum, product;
};

constexpr int column_width = 32, column_members = 8;
constexpr int column_threads = column_width * column_members;

// How rows are cut into pieces of blocks; depends on the shape alone.
struct ColumnPieces {
    int64_t rows, columns, pieces, length;

    ColumnPieces(int64_t row_count, int64_t column_count) : rows(row_count), columns(column_count) {
        const int64_t spare = 1024 / blocks_for(columns, column_width);
        const int64_t useful = rows / (8 * column_members);
        const int64_t wanted = useful < spare ? useful : spare;
        length = wanted > 1 ? (rows + wanted - 1) / wanted : rows;
        pieces = length > 0 ? (rows + length - 1) / length : 1;
        if (pieces < 1) pieces = 1;
    }
    size_t bytes() const { return static_cast<size_t>(columns * pieces) * sizeof(ColumnSums); }
    Grid grid() const {
        return {{blocks_for(columns, column_width), pieces},
                column_threads,
                shared_bytes<ColumnSums>(column_threads)};
    }
};

// The sums of term(row, column) -> {T, T} over the rows of this block's piece, into sums [columns, pieces].
template <class T, class Term>
__device__ __forceinline__ void sum_columns(const ColumnPieces& plan, ColumnSums* sums, const Term& term) {
    SharedArena arena;
    ColumnSums* parts = arena.take<ColumnSums>(column_threads);
    const int64_t column = int64_t{block_index()} * column_width + thread_index() % column_width;
    const int member = thread_index() / column_width;
    const int64_t begin = block_index_y() * plan.length, stop = begin + plan.length;
    const int64_t end = stop < plan.rows ? stop : plan.rows;
    ColumnSums own{0, 0};
    constexpr int run = 4;
    if (column < plan.columns) {
        for (int64_t row = begin + member * run; row < end; row += column_members * run) {
            T sum = 0, product = 0;
            for (int k = 0; k < run && row + k < end; ++k) term(row + k, column, sum, product);
            own.sum += static_cast<double>(sum);
            own.product += static_cast<double>(product);
        }
    }
    parts[thread_index()] = own;
    block_barrier();
    if (member != 0 || column >= plan.columns) return;
    for (int i = 1; i < column_members; ++i) {
        own.sum += parts[i * column_width + thread_index()].sum;
        own.product += parts[i * column_width + thread_index()].product;
    }
    sums[column * plan.pieces + block_index_y()] = own;
}

// The sums of all pieces of a column, in lane 0 of the warp that calls.
__device__ __forceinline__ ColumnSums join_columns(const ColumnSums* sums, int64_t column, int64_t pieces) {
    ColumnSums total{0, 0};
    for (int64_t i = lane_index(); i < pieces; i += warp_size) {
        total.sum += sums[column * pieces + i].sum;
        total.product += sums[column * pieces + i].product;
    }
    total.sum = warp_reduce(total.sum, AddOf());
    total.product = warp_reduce(total.product, AddOf());
    return total;
}

}  // namespace nativegrad::cuda
