#include "kernels/scan/scan.h"

#include "backend/ops.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// Element i of a row, in the direction of the scan.
template <class Total>
struct ScanRow {
    const ScanCall& call;
    int64_t row, x_base, out_base;

    __device__ __forceinline__ ScanRow(const ScanCall& of, int64_t index) : call(of), row(index) {
        const Offsets<3> at = locate(of.walk.rows, index);
        out_base = at.of[0];
        x_base = at.of[1];
    }
    __device__ __forceinline__ int64_t place(int64_t i) const {
        return call.reverse ? call.walk.length - 1 - i : i;
    }
    __device__ __forceinline__ Total read(int64_t i) const {
        return load_as<Total>(call.x, x_base + place(i) * call.walk.steps[1]);
    }
    __device__ __forceinline__ void write(int64_t i, Total before, Total with) const {
        Total value = call.exclusive ? before : with;
        if (call.times.data != nullptr)
            value *= load_as<Total>(call.times, row * call.walk.length + place(i));
        store_as(call.out, call.dtype, out_base + place(i) * call.walk.steps[0], value);
    }
};

// x [rows, n] -> out [rows, n]; a lane per row
template <class Total, class Combine>
__global__ void scan_lanes(ScanCall call, Total identity) {
    const int64_t index = grid_thread_index();
    if (index >= call.walk.count) return;
    const ScanRow<Total> row(call, index);
    Total total = identity;
    for (int64_t i = 0; i < call.walk.length; ++i) {
        const Total before = total;
        total = Combine()(total, row.read(i));
        row.write(i, before, total);
    }
}

// x [rows, n] -> out [rows, n]; a block per row, a tile after the other
template <class Total, class Combine>
__global__ void scan_tiles(ScanCall call, Total identity) {
    SharedArena arena;
    Total* parts = arena.take<Total>(block_reduce_parts);
    const ScanRow<Total> row(call, block_index());
    const int64_t n = call.walk.length;
    Total carry = identity;
    for (int64_t tile = 0; tile < n; tile += scan_tile) {
        const int64_t first = tile + thread_index() * scan_run;
        Total values[scan_run], own = identity;
        for (int k = 0; k < scan_run; ++k) {
            values[k] = first + k < n ? row.read(first + k) : identity;
            own = Combine()(own, values[k]);
        }
        Total all;
        const Total lanes = block_scan(own, Combine(), identity, parts, all);
        Total before = Combine()(carry, lanes);
        for (int k = 0; k < scan_run && first + k < n; ++k) {
            const Total with = Combine()(before, values[k]);
            row.write(first + k, before, with);
            before = with;
        }
        carry = Combine()(carry, all);
    }
}

template <class Total, class Combine>
void run_scan(const ScanCall& call, Total identity, Stream stream) {
    if (call.walk.count == 0 || call.walk.length == 0) return;
    if (call.walk.length <= 64 || call.walk.count >= 4096) {
        launch<scan_lanes<Total, Combine>>(Grid{blocks_for(call.walk.count, scan_threads), scan_threads},
                                           stream, call, identity);
    } else {
        const Grid grid{call.walk.count, scan_threads, shared_bytes<Total>(block_reduce_parts)};
        launch<scan_tiles<Total, Combine>>(grid, stream, call, identity);
    }
}

constexpr Source nothing{nullptr, DType::float64, 1};

}  // namespace

void scan_sums(const ScanCall& call, bool integers, Stream stream) {
    if (integers) return run_scan<int64_t, PlusOf>(call, 0, stream);
    run_scan<double, PlusOf>(call, 0, stream);
}

void scan_products(const ScanCall& call, Stream stream) { run_scan<double, TimesOf>(call, 1, stream); }

namespace ops {

// x [.., D, ..] -> out [.., D, ..]: sums of the elements up to (reverse: from) each one along the axis
void cumsum(const OpCall& call, const ScanParams& params, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    scan_sums({source_of(x), nothing, out.data, out.dtype, AxisWalk::of(out, x, x, params.axis),
               params.reverse != 0, false},
              !is_float(out.dtype), queue.stream());
}

// x [.., D] -> out [.., D]: for each element the product of the others in its row: of those before it times
// that of those behind it, which is exact where some are 0
void prod_others(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    if (!is_float(out.dtype)) fail("needs a float dtype");
    const AxisWalk walk = AxisWalk::of(out, x, x, out.rank - 1);
    if (walk.count == 0 || walk.length == 0) return;
    const Scratch before(queue, static_cast<size_t>(walk.count * walk.length) * sizeof(double));
    // The products before each element in dense rows, in the order in which the walk counts them.
    AxisWalk rows = walk;
    rows.steps[0] = 1;
    for (int32_t axis = rows.rows.rank - 1, next = -1; axis >= 0; next = axis--)
        rows.rows.strides[0][axis] =
            next < 0 ? walk.length : rows.rows.strides[0][next] * rows.rows.shape[next];
    scan_products({source_of(x), nothing, before.as<void>(), DType::float64, rows, false, true},
                  queue.stream());
    const Source factors{before.as<void>(), DType::float64, 0};
    scan_products({source_of(x), factors, out.data, out.dtype, walk, true, true}, queue.stream());
}

}  // namespace ops

}  // namespace nativegrad::cuda
