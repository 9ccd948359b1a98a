#include "kernels/product/column_sums.h"

#include "device/device.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// A block takes 32 columns, each of its 8 warps every eighth row.
constexpr int row_lanes = 8, threads = row_lanes * warp_size;

// x [m, n] -> finish [n], or partials [parts, n] where there are more; blocks (columns / 32, parts)
template <class T>
__device__ __forceinline__ void sum_rows(const Source& x, int64_t row_stride, int64_t column_stride,
                                         int64_t m, int64_t n, int64_t part_rows, const Finish& finish,
                                         T* partials) {
    SharedArena arena;
    T* sums = arena.take<T>(threads);
    const int64_t column = int64_t{block_index()} * warp_size + lane_index();
    const int64_t first = block_index_y() * part_rows, end = first + part_rows;
    T sum = T(0);
    if (column < n) {
        for (int64_t row = first + warp_index(); row < (end < m ? end : m); row += row_lanes)
            sum += load_as<T>(x, row * row_stride + column * column_stride);
    }
    sums[thread_index()] = sum;
    block_barrier();
    if (warp_index() != 0 || column >= n) return;
    for (int i = 1; i < row_lanes; ++i) sum += sums[i * warp_size + lane_index()];
    if (partials != nullptr)
        partials[block_index_y() * n + column] = sum;
    else
        finish_element(finish, 0, 0, 0, column, sum);
}

template <class T>
void sum_in_parts(const Source& x, int64_t row_stride, int64_t column_stride, int64_t m, int64_t n,
                  const Finish& finish, Queue& queue) {
    constexpr int64_t part_rows = 256, most_parts = 1024;
    const int64_t blocks = (n + warp_size - 1) / warp_size, wanted = (m + part_rows - 1) / part_rows;
    const int64_t parts = wanted < 2 ? 1 : wanted < most_parts ? wanted : most_parts;
    const size_t shared = shared_bytes<T>(threads);
    if (parts == 1) {
        launch_batched<sum_rows<T>>(Grid{{blocks, 1}, threads, shared}, queue.stream(), x, row_stride,
                                    column_stride, m, n, m, finish, static_cast<T*>(nullptr));
        return;
    }
    const Scratch partials(queue, static_cast<size_t>(parts * n) * sizeof(T));
    launch_batched<sum_rows<T>>(Grid{{blocks, parts}, threads, shared}, queue.stream(), x, row_stride,
                                column_stride, m, n, (m + parts - 1) / parts, finish, partials.as<T>());
    const DType dtype = std::is_same_v<T, double> ? DType::float64 : DType::float32;
    launch_batched<sum_rows<T>>(Grid{{blocks, 1}, threads, shared}, queue.stream(),
                                Source{partials.as<void>(), dtype, 0}, n, int64_t{1}, parts, n, parts, finish,
                                static_cast<T*>(nullptr));
}

}  // namespace

void sum_columns(const TensorView& x, const Finish& finish, Queue& queue) {
    if (x.shape[1] == 0) return;
    with_float_compute(x.dtype, [&](auto type) {
        sum_in_parts<decltype(type)>(source_of(x), x.strides[0], x.strides[1], x.shape[0], x.shape[1], finish,
                                     queue);
    });
}

}  // namespace nativegrad::cuda
