#include "backend/ops.h"
#include "device/device.h"
#include "device/half.h"
#include "kernels/block_group.h"
#include "kernels/strided.h"
#include "kernels/values.h"
#include "ops/cast_checks.h"

namespace nativegrad::cuda {

namespace {

// x [...] -> out [...] of one dtype, both dense in the same order or x one element: 16 bytes at a time
template <class Stored>
__device__ __forceinline__ void copy_dense(const Stored* x, Stored* out, int64_t count) {
    constexpr int width = pack_width<Stored>;
    const int64_t packs = count / width;
    for (int64_t i = grid_thread_index(); i < packs; i += grid_thread_count())
        store_pack(out + i * width, load_pack<width>(x + i * width));
    const int64_t rest = packs * width + grid_thread_index();
    if (rest < count) out[rest] = x[rest];
}

// x [n] -> out [n] of another float, from the element `first` of this lane on, in steps of `lanes` packs
template <class From, class To>
__device__ __forceinline__ void cast_packs(const From* x, To* out, int64_t count, int64_t first,
                                           int64_t lanes) {
    constexpr int width = pack_width<Float16>, part = pack_width<float>;
    constexpr int from = sizeof(From) == 2 ? width : part, to = sizeof(To) == 2 ? width : part;
    const int64_t packs = count / width;
    for (int64_t i = first; i < packs; i += lanes) {
        float values[width];
#pragma unroll
        for (int k = 0; k < width; k += from) {
            const auto pack = load_pack<from>(x + i * width + k);
#pragma unroll
            for (int e = 0; e < from; ++e) values[k + e] = as_float(pack[e]);
        }
#pragma unroll
        for (int k = 0; k < width; k += to) {
            Pack<To, to> pack;
#pragma unroll
            for (int e = 0; e < to; ++e) pack[e] = from_float<To>(values[k + e]);
            store_pack(out + i * width + k, pack);
        }
    }
    for (int64_t i = packs * width + first; i < count; i += lanes) out[i] = from_float<To>(as_float(x[i]));
}

// x [...] -> out [...] of another float, both dense in the same order: 16 bytes at a time
template <class From, class To>
__device__ __forceinline__ void cast_dense(const From* x, To* out, int64_t count) {
    cast_packs(x, out, count, grid_thread_index(), grid_thread_count());
}

constexpr int32_t most_casts = 64;
constexpr int64_t casts_per_block = int64_t{elementwise_threads} * pack_width<Float16>;

template <class To>
struct CastList {
    const float* from[most_casts];
    To* to[most_casts];
    int64_t count[most_casts];
    int32_t first_block[most_casts + 1];
    uint8_t is_aligned[most_casts];
    int32_t tensors;
};

// x [n] -> out [n] for each tensor of the list; a block takes casts_per_block elements of one of them
template <class To>
__device__ __forceinline__ void cast_tensors(const CastList<To>& list) {
    const int32_t low = group_of_block(list.first_block, list.tensors);
    const int64_t start = (block_index() - list.first_block[low]) * casts_per_block;
    const int64_t rest = list.count[low] - start, count = rest < casts_per_block ? rest : casts_per_block;
    const float* x = list.from[low] + start;
    To* out = list.to[low] + start;
    if (list.is_aligned[low] != 0) return cast_packs(x, out, count, thread_index(), thread_count());
    for (int64_t i = thread_index(); i < count; i += thread_count()) out[i] = from_float<To>(x[i]);
}

// x [...] -> out [...] of any dtypes and strides, by way of the compute type of x
template <class T>
__device__ __forceinline__ void copy_strided(const Source& x, void* out, DType dtype,
                                             const StridedAxes<2>& axes, int64_t count) {
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

template <class From, class To>
void launch_cast(const TensorView& x, const TensorView& out, int64_t count, Stream stream) {
    launch_batched<cast_dense<From, To>>(elementwise_grid(count, pack_width<Float16>), stream,
                                         static_cast<const From*>(x.data), static_cast<To*>(out.data), count);
}

// False for other dtypes than float32 and those of 16 bits.
bool cast_floats(const TensorView& x, const TensorView& out, int64_t count, Stream stream) {
    if (x.dtype == DType::float32 && out.dtype == DType::float16) {
        launch_cast<float, Float16>(x, out, count, stream);
    } else if (x.dtype == DType::float32 && out.dtype == DType::bfloat16) {
        launch_cast<float, BFloat16>(x, out, count, stream);
    } else if (x.dtype == DType::float16 && out.dtype == DType::float32) {
        launch_cast<Float16, float>(x, out, count, stream);
    } else if (x.dtype == DType::bfloat16 && out.dtype == DType::float32) {
        launch_cast<BFloat16, float>(x, out, count, stream);
    } else if (x.dtype == DType::float16 && out.dtype == DType::bfloat16) {
        launch_cast<Float16, BFloat16>(x, out, count, stream);
    } else if (x.dtype == DType::bfloat16 && out.dtype == DType::float16) {
        launch_cast<BFloat16, Float16>(x, out, count, stream);
    } else {
        return false;
    }
    return true;
}

template <class To>
void cast_list(const OpCall& call, Stream stream) {
    CastList<To> list;
    list.tensors = 0;
    list.first_block[0] = 0;
    for (int32_t i = 0; i < call.input_count; ++i) {
        const TensorView &x = call.inputs[i], &out = call.outputs[i];
        const int64_t count = element_count(x), blocks = (count + casts_per_block - 1) / casts_per_block;
        const int32_t at = list.tensors;
        if (count == 0) continue;
        if (list.first_block[at] + blocks > INT32_MAX)
            fail("the tensors have too many elements for one call");
        list.from[at] = static_cast<const float*>(x.data);
        list.to[at] = static_cast<To*>(out.data);
        list.count[at] = count;
        list.is_aligned[at] = is_aligned(x.data, 16) && is_aligned(out.data, 16) ? 1 : 0;
        list.first_block[at + 1] = list.first_block[at] + static_cast<int32_t>(blocks);
        ++list.tensors;
    }
    if (list.tensors == 0) return;
    launch_batched<cast_tensors<To>>(Grid{list.first_block[list.tensors], elementwise_threads}, stream, list);
}

void copy_view(const TensorView& from, const TensorView& out, Stream stream) {
    const TensorView x = broadcast_to(from, out);
    const StridedAxes<2> axes({&out, &x});
    const int64_t count = axes.count();
    if (count == 0) return;
    const bool is_plain = axes.is_dense() && axes.strides[1][0] == 1 && !x.is_host_scalar &&
                          is_aligned(x.data, 16) && is_aligned(out.data, 16);
    if (is_plain && cast_floats(x, out, count, stream)) return;
    if (is_plain && x.dtype == out.dtype) {
        with_bits(item_size(x.dtype), [&](auto bits) {
            using Stored = decltype(bits);
            launch_batched<copy_dense<Stored>>(elementwise_grid(count, pack_width<Stored>), stream,
                                               static_cast<const Stored*>(x.data),
                                               static_cast<Stored*>(out.data), count);
        });
        return;
    }
    with_compute_type(x.dtype, [&](auto type) {
        launch_batched<copy_strided<decltype(type)>, unbounded>(elementwise_grid(count), stream, source_of(x),
                                                                out.data, out.dtype, axes, count);
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

// x [...] float32 each -> [...] float16 or bfloat16 each
void cast_all(const OpCall& call, const NoParams&, Queue& queue) {
    check_cast_all(call);
    if (call.outputs[0].dtype == DType::float16) return cast_list<Float16>(call, queue.stream());
    cast_list<BFloat16>(call, queue.stream());
}

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
