#include "backend/ops.h"
#include "kernels/packs.h"
#include "kernels/scan/scan.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

constexpr int nonzero_run = 8;  // neighbours that a lane takes
constexpr int nonzero_tile = scan_threads * nonzero_run;

// Bit k is set where element first + k is not 0; no integer is rounded to 0.
__device__ __forceinline__ uint32_t nonzero_bits(const Source& x, int64_t first, int64_t count) {
    uint32_t bits = 0;
    for (int k = 0; k < nonzero_run && first + k < count; ++k) {
        const bool set = load_as<double>(x, first + k) != 0;
        bits |= (set ? 1u : 0u) << k;
    }
    return bits;
}

// x [count], dense -> found [tiles]: how many are not 0
__global__ void count_nonzero_tiles(Source x, int64_t count, int64_t* found) {
    SharedArena arena;
    int64_t* parts = arena.take<int64_t>(block_reduce_parts);
    const int64_t first = int64_t{block_index()} * nonzero_tile + thread_index() * nonzero_run;
    const int64_t own = count_bits(nonzero_bits(x, first, count));
    const int64_t all = block_reduce(own, AddOf(), int64_t{0}, parts);
    if (thread_index() == 0) found[block_index()] = all;
}

struct Shape {
    int32_t rank;
    int64_t sizes[max_rank];
};

// x [count], dense, before [tiles]: how many are in front of each tile -> out [n, rank]: their places
__global__ void write_nonzero_places(Source x, int64_t count, const int64_t* before,
                                     const __grid_constant__ Shape shape, void* out, DType dtype,
                                     int64_t rows) {
    SharedArena arena;
    int64_t* parts = arena.take<int64_t>(block_reduce_parts);
    const int64_t first = int64_t{block_index()} * nonzero_tile + thread_index() * nonzero_run;
    const uint32_t bits = nonzero_bits(x, first, count);
    int64_t all;
    const int64_t lanes = block_scan(int64_t{count_bits(bits)}, PlusOf(), int64_t{0}, parts, all);
    int64_t row = before[block_index()] + lanes;
    for (int k = 0; k < nonzero_run; ++k) {
        if ((bits >> k & 1u) == 0) continue;
        int64_t rest = first + k;
        for (int32_t axis = shape.rank - 1; axis >= 0 && row < rows; --axis) {
            const int64_t next = rest / shape.sizes[axis];
            store_as(out, dtype, row * shape.rank + axis, rest - next * shape.sizes[axis]);
            rest = next;
        }
        ++row;
    }
}

}  // namespace

namespace ops {

// x [...] row-major -> out [n, rank]: the places of its n elements other than 0, in row-major order. The
// caller counted them: places beyond n are not written.
void nonzero(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    if (!is_row_major(x) || !is_row_major(out) || out.rank != 2 || out.shape[1] != x.rank)
        fail("needs a row-major x and an output [n, rank]");
    const int64_t count = element_count(x), tiles = blocks_for(count, nonzero_tile);
    if (count == 0 || out.shape[0] == 0) return;
    const Scratch found(queue, static_cast<size_t>(tiles) * sizeof(int64_t)),
        before(queue, static_cast<size_t>(tiles) * sizeof(int64_t));
    const Grid grid{tiles, scan_threads, shared_bytes<int64_t>(block_reduce_parts)};
    launch<count_nonzero_tiles>(grid, queue.stream(), source_of(x), count, found.as<int64_t>());
    TensorView from{}, to{};
    from.dtype = to.dtype = DType::int64;
    from.rank = to.rank = 1;
    from.shape[0] = to.shape[0] = tiles;
    from.strides[0] = to.strides[0] = 1;
    from.data = found.as<void>();
    to.data = before.as<void>();
    scan_sums({source_of(from),
               {nullptr, DType::int64, 1},
               to.data,
               to.dtype,
               AxisWalk::of(to, from, from, 0),
               false,
               true},
              true, queue.stream());
    Shape shape{x.rank, {}};
    for (int32_t axis = 0; axis < x.rank; ++axis) shape.sizes[axis] = x.shape[axis];
    launch<write_nonzero_places>(grid, queue.stream(), source_of(x), count, before.as<int64_t>(), shape,
                                 out.data, out.dtype, out.shape[0]);
}

}  // namespace ops

}  // namespace nativegrad::cuda
