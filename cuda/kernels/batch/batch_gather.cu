#include <algorithm>

#include "backend/ops.h"
#include "device/device.h"
#include "kernels/packs.h"
#include "kernels/strided.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// samples [S, size] dense, index [n] -> out [n, size] dense, samples scaled and shifted
struct BatchOperands {
    Source x, index;
    void* out;
    DType dtype;
    int64_t index_stride, samples, size, batch;
    double scale, shift;
    bool packs;  // rows lie in aligned memory, and are read as T or from bytes
};

// Elements i .. i + 8 of a row that begins at `base`
template <class T>
__device__ __forceinline__ void load_sample(const BatchOperands& of, int64_t base, int64_t i,
                                            T (&values)[row_pack]) {
    if (of.packs && of.x.dtype == DType::uint8) {
        const auto bytes = load_pack<row_pack>(static_cast<const uint8_t*>(of.x.data) + base + i);
        for (int k = 0; k < row_pack; ++k) values[k] = static_cast<T>(bytes[k]);
    } else {
        load_chunk(of.x, base, 1, i, of.size, of.packs, T(0), values);
    }
}

// A lane per pack of row_pack elements of one sample; an index out of range gives zeros.
template <class T>
__device__ __forceinline__ void batch_gather_packs(const BatchOperands& of, const FaultReport& report) {
    const int64_t packs = (of.size + row_pack - 1) / row_pack, count = of.batch * packs;
    const T scale = static_cast<T>(of.scale), shift = static_cast<T>(of.shift);
    const bool converts_only = of.scale == 1 && of.shift == 0;
    for (int64_t pack = grid_thread_index(); pack < count; pack += grid_thread_count()) {
        const int64_t row = pack / packs, i = (pack - row * packs) * row_pack;
        const int64_t sample = load_as<int64_t>(of.index, row * of.index_stride);
        T values[row_pack] = {};
        if (sample >= 0 && sample < of.samples) {
            load_sample(of, sample * of.size, i, values);
            for (int k = 0; k < row_pack && !converts_only; ++k) values[k] = values[k] * scale + shift;
        } else if (i == 0) {
            report.raise(FaultKind::index_out_of_range, sample, of.samples, row);
        }
        store_chunk(of.out, of.dtype, row * of.size, 1, i, of.size, of.packs, values);
    }
}

}  // namespace

namespace ops {

// x [S, ...] row-major, index [n] -> out [n, ...]
void batch_gather(const OpCall& call, const BatchGatherParams& params, Queue& queue) {
    expect_operands(call, 2, 1);
    const TensorView &x = call.inputs[0], &index = call.inputs[1], &out = call.outputs[0];
    if (x.rank < 1 || index.rank != 1 || out.rank != x.rank || out.shape[0] != index.shape[0] ||
        !is_row_major(x) || !std::equal(x.shape + 1, x.shape + x.rank, out.shape + 1)) {
        fail("needs row-major samples [S, ...] and an index [n]");
    }
    const int64_t batch = index.shape[0], size = batch == 0 ? 0 : element_count(out) / batch;
    if (size == 0) return;
    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        const bool packs = size % row_pack == 0 && is_aligned(x.data, 16) && is_aligned(out.data, 16) &&
                           (packs_as<T>(x.dtype) || x.dtype == DType::uint8);
        const BatchOperands of{source_of(x),     source_of(index), out.data, out.dtype,
                               index.strides[0], x.shape[0],       size,     batch,
                               params.scale,     params.shift,     packs};
        launch_batched<batch_gather_packs<T>, unbounded>(
            elementwise_grid(batch * ((size + row_pack - 1) / row_pack)), queue.stream(), of,
            queue.fault_report(OpCode::batch_gather));
    });
}

}  // namespace ops

}  // namespace nativegrad::cuda
