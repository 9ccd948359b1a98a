#include <type_traits>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/ops/short_rows.h"
#include "cpu/ops/strided_loop.h"
#include "cpu/ops/transposed_copy.h"

namespace nativegrad::cpu {

namespace {

// A dense block of an operand in the compute type: in place where the storage allows it, else converted into
// a buffer.
template <class T>
struct InputBlock {
    const TensorView* view;
    int64_t stride;
    T buffer[block_size];

    InputBlock(const TensorView& operand, int64_t stride) : view(&operand), stride(stride) {}

    const T* read(int64_t offset, int64_t n) {
        const void* from = element(*view, offset);
        if (view->dtype == own_dtype<T>() && stride == 1) return static_cast<const T*>(from);
        load_block(view->dtype, from, stride, n, buffer);
        return buffer;
    }
};

template <class T>
struct OutputBlock {
    const TensorView* view;
    int64_t stride;
    T buffer[block_size];

    OutputBlock(const TensorView& operand, int64_t stride) : view(&operand), stride(stride) {}

    T* begin(int64_t offset) {
        const bool direct = view->dtype == own_dtype<T>() && stride == 1;
        return direct ? static_cast<T*>(static_cast<void*>(element(*view, offset))) : buffer;
    }
    void end(int64_t offset, int64_t n) {
        if (begin(offset) == buffer) store_block(view->dtype, element(*view, offset), stride, n, buffer);
    }
};

// A block of a bool operand, one byte an element.
struct MaskBlock {
    const TensorView* view;
    int64_t stride;
    uint8_t buffer[block_size];

    MaskBlock(const TensorView& operand, int64_t stride) : view(&operand), stride(stride) {}

    const uint8_t* read(int64_t offset, int64_t n) {
        const auto* from = reinterpret_cast<const uint8_t*>(element(*view, offset));
        if (stride == 1) return from;
        for (int64_t i = 0; i < n; ++i) buffer[i] = from[i * stride];
        return buffer;
    }
};

const ElementwiseKernels<float>& table_of(float) { return kernels().elementwise_f32; }
const ElementwiseKernels<double>& table_of(double) { return kernels().elementwise_f64; }
const ElementwiseKernels<int64_t>& table_of(int64_t) { return kernels().elementwise_i64; }

template <class Function>
void expect_function(int32_t function, Function count) {
    if (function < 0 || function >= static_cast<int32_t>(count)) fail("no function %d", function);
}

template <class T>
void run_unary(const OpCall& call, const UnaryParams& params) {
    const auto kernel = table_of(T{}).unary[params.function];
    if (kernel == nullptr) fail("not defined for integers; cast to a float dtype first");
    const double p0 = params.p0.values[0], p1 = params.p1.values[0];
    const TensorView x = broadcast_to(call.inputs[0], call.outputs[0]);
    const StridedLoop<2> loop({&call.outputs[0], &x});
    loop.run([&](const int64_t* offsets, int64_t n) {
        InputBlock<T> in(x, loop.inner_stride(1));
        OutputBlock<T> out(call.outputs[0], loop.inner_stride(0));
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            const int64_t at = offsets[0] + i * out.stride;
            kernel(in.read(offsets[1] + i * in.stride, count), out.begin(at), count, p0, p1);
            out.end(at, count);
        }
    });
}

void refuse_zero_divisor(BinaryFunction function, const int64_t* divisor, int64_t n) {
    if (function != BinaryFunction::floor_divide && function != BinaryFunction::remainder) return;
    for (int64_t i = 0; i < n; ++i) {
        if (divisor[i] == 0) fail("integer division by zero; cast to a float dtype to get Infinity or NaN");
    }
}
template <class T>
void refuse_zero_divisor(BinaryFunction, const T*, int64_t) {}

// Operands whose last axis is short, such as a bias of ten classes: many rows to a call of the kernel.
template <class T>
void run_binary_rows(const TensorView& result, const TensorView& a, const TensorView& b,
                     const StridedLoop<3>& loop, const BinaryParams& params) {
    struct Blocks {
        RowsInput<T> left, right;
        OutputBlock<T> out;
    };
    const auto kernel = table_of(T{}).binary[params.function];
    const double p0 = params.p0.values[0], p1 = params.p1.values[0];
    const auto make = [&] {
        return Blocks{RowsInput<T>(a, loop, 1), RowsInput<T>(b, loop, 2), OutputBlock<T>(result, 1)};
    };
    each_row_block(loop, make, [&](Blocks& blocks, const int64_t* offsets, int64_t rows) {
        const int64_t count = rows * loop.inner();
        const T* divisor = blocks.right.read(offsets[2], rows);
        refuse_zero_divisor(static_cast<BinaryFunction>(params.function), divisor, count);
        kernel(blocks.left.read(offsets[1], rows), divisor, blocks.out.begin(offsets[0]), count, p0, p1);
        blocks.out.end(offsets[0], count);
    });
}

template <class T>
void run_binary(const OpCall& call, const BinaryParams& params) {
    const auto kernel = table_of(T{}).binary[params.function];
    if (kernel == nullptr) fail("not defined for integers; cast to a float dtype first");
    const double p0 = params.p0.values[0], p1 = params.p1.values[0];
    const TensorView a = broadcast_to(call.inputs[0], call.outputs[0]),
                     b = broadcast_to(call.inputs[1], call.outputs[0]);
    const StridedLoop<3> loop({&call.outputs[0], &a, &b});
    if (has_short_rows(loop)) return run_binary_rows<T>(call.outputs[0], a, b, loop, params);
    loop.run([&](const int64_t* offsets, int64_t n) {
        InputBlock<T> left(a, loop.inner_stride(1)), right(b, loop.inner_stride(2));
        OutputBlock<T> out(call.outputs[0], loop.inner_stride(0));
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            const int64_t at = offsets[0] + i * out.stride;
            const T* divisor = right.read(offsets[2] + i * right.stride, count);
            refuse_zero_divisor(static_cast<BinaryFunction>(params.function), divisor, count);
            kernel(left.read(offsets[1] + i * left.stride, count), divisor, out.begin(at), count, p0, p1);
            out.end(at, count);
        }
    });
}

template <class T>
void run_compare(const OpCall& call, const CompareParams& params) {
    const auto kernel = table_of(T{}).compare[params.function];
    const TensorView& result = call.outputs[0];
    const TensorView a = broadcast_to(call.inputs[0], result), b = broadcast_to(call.inputs[1], result);
    const StridedLoop<3> loop({&result, &a, &b});
    loop.run([&](const int64_t* offsets, int64_t n) {
        InputBlock<T> left(a, loop.inner_stride(1)), right(b, loop.inner_stride(2));
        uint8_t bits[block_size];
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            kernel(left.read(offsets[1] + i * left.stride, count),
                   right.read(offsets[2] + i * right.stride, count), bits, count);
            auto* to = reinterpret_cast<uint8_t*>(element(result, offsets[0] + i * loop.inner_stride(0)));
            for (int64_t k = 0; k < count; ++k) to[k * loop.inner_stride(0)] = bits[k];
        }
    });
}

template <class T>
void run_where(const OpCall& call) {
    const TensorView& result = call.outputs[0];
    const TensorView c = broadcast_to(call.inputs[0], result);
    const TensorView a = broadcast_to(call.inputs[1], result), b = broadcast_to(call.inputs[2], result);
    const StridedLoop<4> loop({&result, &c, &a, &b});
    loop.run([&](const int64_t* offsets, int64_t n) {
        MaskBlock condition(c, loop.inner_stride(1));
        InputBlock<T> yes(a, loop.inner_stride(2)), no(b, loop.inner_stride(3));
        OutputBlock<T> out(result, loop.inner_stride(0));
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            const int64_t at = offsets[0] + i * out.stride;
            const uint8_t* mask = condition.read(offsets[1] + i * condition.stride, count);
            const T* first = yes.read(offsets[2] + i * yes.stride, count);
            const T* second = no.read(offsets[3] + i * no.stride, count);
            T* to = out.begin(at);
            for (int64_t k = 0; k < count; ++k) to[k] = mask[k] != 0 ? first[k] : second[k];
            out.end(at, count);
        }
    });
}

template <class From, class To>
void run_copy(const TensorView& x, const TensorView& out) {
    const StridedLoop<2> loop({&out, &x});
    if (copy_transposed(loop, x, out)) return;
    const int64_t to_stride = loop.inner_stride(0), from_stride = loop.inner_stride(1);
    const bool reads_in_place = x.dtype == own_dtype<From>() && from_stride == 1;
    const bool writes_in_place =
        !reads_in_place && std::is_same_v<From, To> && out.dtype == own_dtype<To>() && to_stride == 1;
    loop.run([&](const int64_t* offsets, int64_t n) {
        From buffer[block_size];
        To written[block_size];
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            void* const from = element(x, offsets[1] + i * from_stride);
            void* const to = element(out, offsets[0] + i * to_stride);
            if (writes_in_place) {
                load_block(x.dtype, from, from_stride, count, static_cast<From*>(to));
                continue;
            }
            if (!reads_in_place) load_block(x.dtype, from, from_stride, count, buffer);
            const From* read = reads_in_place ? static_cast<const From*>(from) : buffer;
            // One conversion: straight from what was read, unless the target computes in another float type.
            if constexpr (std::is_same_v<From, To> || std::is_same_v<To, int64_t>) {
                store_block(out.dtype, to, to_stride, count, read);
            } else {
                for (int64_t k = 0; k < count; ++k) written[k] = static_cast<To>(read[k]);
                store_block(out.dtype, to, to_stride, count, written);
            }
        }
    });
}

}  // namespace

// x [...] -> out [...]; the dtypes may differ
void copy(const OpCall& call, const NoParams&) {
    expect_operands(call, 1, 1);
    const TensorView& out = call.outputs[0];
    const TensorView x = broadcast_to(call.inputs[0], out);
    with_compute_type(x.dtype, [&](auto from) {
        with_compute_type(out.dtype, [&](auto to) { run_copy<decltype(from), decltype(to)>(x, out); });
    });
}

// x [...] -> out [...], dense in row-major order
void contiguous(const OpCall& call, const NoParams& params) { copy(call, params); }

// x [...] -> out [...]
void unary(const OpCall& call, const UnaryParams& params) {
    expect_operands(call, 1, 1);
    expect_function(params.function, UnaryFunction::count);
    with_compute_type(call.outputs[0].dtype, [&](auto type) { run_unary<decltype(type)>(call, params); });
}

// a, b broadcast -> out [...]; computed in the output's dtype
void binary(const OpCall& call, const BinaryParams& params) {
    expect_operands(call, 2, 1);
    expect_function(params.function, BinaryFunction::count);
    with_compute_type(call.outputs[0].dtype, [&](auto type) { run_binary<decltype(type)>(call, params); });
}

// a, b broadcast -> out bool [...]; compared in params.dtype
void compare(const OpCall& call, const CompareParams& params) {
    expect_operands(call, 2, 1);
    expect_function(params.function, CompareFunction::count);
    if (params.dtype < 0 || params.dtype >= dtype_count) fail("no dtype %d", params.dtype);
    if (call.outputs[0].dtype != DType::boolean)
        fail("writes bool, got an output of %s", dtype_name(call.outputs[0].dtype));
    with_compute_type(static_cast<DType>(params.dtype),
                      [&](auto type) { run_compare<decltype(type)>(call, params); });
}

// condition bool, a, b broadcast -> out [...]
void where(const OpCall& call, const NoParams&) {
    expect_operands(call, 3, 1);
    if (call.inputs[0].dtype != DType::boolean)
        fail("the condition must be bool, got %s", dtype_name(call.inputs[0].dtype));
    with_compute_type(call.outputs[0].dtype, [&](auto type) { run_where<decltype(type)>(call); });
}

// -> out [...], every element = value
void fill(const OpCall& call, const FillParams& params) {
    expect_operands(call, 0, 1);
    TensorView value{};
    double number = params.value;
    value.data = &number;
    value.dtype = DType::float64;
    value.is_host_scalar = 1;
    const TensorView inputs[] = {value};
    copy({1, 1, 1, inputs, call.outputs, nullptr}, {});
}

// -> out [n]
void range(const OpCall& call, const RangeParams& params) {
    expect_operands(call, 0, 1);
    const TensorView& out = call.outputs[0];
    const int64_t n = element_count(out);
    for (int64_t i = 0; i < n; i += block_size) {
        double values[block_size];
        const int64_t count = std::min(block_size, n - i);
        for (int64_t k = 0; k < count; ++k)
            values[k] = params.start + static_cast<double>(i + k) * params.step;
        store_block(out.dtype, element(out, i), 1, count, values);
    }
}

}  // namespace nativegrad::cpu
