#include "backend/ops.h"
#include "device/device.h"
#include "kernels/strided.h"
#include "kernels/values.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

namespace {

// x [...] -> out [...] of one dtype, both dense in the same order or x one element: 16 bytes at a time
template <class Stored>
__global__ void copy_dense(const Stored* x, Stored* out, int64_t count) {
    constexpr int width = pack_width<Stored>;
    const int64_t packs = count / width;
    for (int64_t i = grid_thread_index(); i < packs; i += grid_thread_count())
        store_pack(out + i * width, load_pack<width>(x + i * width));
    const int64_t rest = packs * width + grid_thread_index();
    if (rest < count) out[rest] = x[rest];
}

// x [...] -> out [...] of any dtypes and strides, by way of the compute type of x
template <class T>
__global__ void copy_strided(Source x, void* out, DType dtype, StridedAxes<2> axes, int64_t count) {
    for (int64_t i = grid_thread_index(); i < count; i += grid_thread_count()) {
        const Offsets<2> at = locate(axes, i);
        store_as(out, dtype, at.of[0], load_as<T>(x, at.of[1]));
    }
}

// Bytes without meaning, by the size of an element.
template <class Body>
void with_bits(size_t item, const Body& body) {
    if (item == 1) return body(uint8_t{});
    if (item == 2) return body(uint16_t{});
    if (item == 4) return body(uint32_t{});
    body(uint64_t{});
}

void copy_view(const TensorView& from, const TensorView& out, Stream stream) {
    const TensorView x = broadcast_to(from, out);
    const StridedAxes<2> axes({&out, &x});
    const int64_t count = axes.count();
    if (count == 0) return;
    const bool is_plain =
        axes.is_dense() && axes.strides[1][0] == 1 && !x.is_host_scalar && x.dtype == out.dtype;
    if (is_plain && is_aligned(x.data, 16) && is_aligned(out.data, 16)) {
        with_bits(item_size(x.dtype), [&](auto bits) {
            using Stored = decltype(bits);
            launch<copy_dense<Stored>>(elementwise_grid(count, pack_width<Stored>), stream,
                                       static_cast<const Stored*>(x.data), static_cast<Stored*>(out.data),
                                       count);
        });
        return;
    }
    with_compute_type(x.dtype, [&](auto type) {
        launch<copy_strided<decltype(type)>>(elementwise_grid(count), stream, source_of(x), out.data,
                                             out.dtype, axes, count);
    });
}

}  // namespace

namespace ops {

// x [...] -> out [...]; the dtypes may differ
void copy(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 1, 1);
    copy_view(call.inputs[0], call.outputs[0], queue.stream());
}

// x [...] -> out [...], dense in row-major order
void contiguous(const OpCall& call, const NoParams& params, Queue& queue) { copy(call, params, queue); }

// -> out [...], every element = value
void fill(const OpCall& call, const FillParams& params, Queue& queue) {
    expect_operands(call, 0, 1);
    TensorView value{};
    double number = params.value;
    value.data = &number;
    value.dtype = DType::float64;
    value.is_host_scalar = 1;
    copy_view(value, call.outputs[0], queue.stream());
}

}  // namespace ops

}  // namespace nativegrad::cuda
