#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

namespace {

template <class T>
void run_nonzero(const TensorView& x, const TensorView& out) {
    const int64_t size = element_count(x);
    int64_t found = 0;
    T values[block_size];
    for (int64_t begin = 0; begin < size; begin += block_size) {
        const int64_t n = std::min(block_size, size - begin);
        load_block(x.dtype, element(x, begin), 1, n, values);
        for (int64_t i = 0; i < n; ++i) {
            if (values[i] == T(0)) continue;
            if (found == out.shape[0]) fail("the output is too small");
            int64_t rest = begin + i, place[max_rank];
            for (int32_t axis = x.rank - 1; axis >= 0; --axis) {
                place[axis] = rest % x.shape[axis];
                rest /= x.shape[axis];
            }
            store_block(out.dtype, element(out, found++ * x.rank), 1, x.rank, place);
        }
    }
    if (found != out.shape[0]) fail("the output is too large");
}

}  // namespace

// x [...] row-major -> out [n, rank]: the places of its n elements other than 0, in row-major order
void nonzero(const OpCall& call, const NoParams&) {
    expect_operands(call, 1, 1);
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    if (!is_row_major(x) || !is_row_major(out) || out.rank != 2 || out.shape[1] != x.rank)
        fail("needs a row-major x and an output [n, rank]");
    with_compute_type(x.dtype, [&](auto type) { run_nonzero<decltype(type)>(x, out); });
}

}  // namespace nativegrad::cpu
