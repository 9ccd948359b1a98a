// float64 and int64: one value at a time with the C library's functions, the same on every instruction set.
#include "cpu/kernel_table.h"
#include "cpu/simd/system_headers.h"

namespace nativegrad::cpu {
namespace {
#include "ops/double_math.h"
#include "ops/elementwise_math.h"

inline void convert_constant(double value, double& out) { out = value; }
// Bounds outside the range of int64 become its ends.
inline void convert_constant(double value, int64_t& out) {
    if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
        out = static_cast<int64_t>(value);
    } else {
        out = value > 0 ? INT64_MAX : INT64_MIN;
    }
}

template <class T>
T constant(double value) {
    T out;
    convert_constant(value, out);
    return out;
}

template <class T, class Function>
void unary_loop(const T* x, T* y, int64_t n, double p0, double p1) {
    const T c0 = constant<T>(p0), c1 = constant<T>(p1);
    for (int64_t i = 0; i < n; ++i) y[i] = Function::apply(x[i], c0, c1);
}

template <class T, class Function>
void binary_loop(const T* a, const T* b, T* y, int64_t n, double p0, double p1) {
    const T c0 = constant<T>(p0), c1 = constant<T>(p1);
    for (int64_t i = 0; i < n; ++i) y[i] = Function::apply(a[i], b[i], c0, c1);
}

template <class T, class Function>
void compare_loop(const T* a, const T* b, uint8_t* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = Function::apply(a[i], b[i]).v ? 1 : 0;
}

// Picks the loop where the table says that the function exists on integers.
template <class Function, int integer>
struct IntegerLoop {
    static constexpr ElementwiseKernels<int64_t>::Unary unary = &unary_loop<int64_t, Function>;
};
template <class Function>
struct IntegerLoop<Function, 0> {
    static constexpr ElementwiseKernels<int64_t>::Unary unary = nullptr;
};
template <class Function, int integer>
struct IntegerBinaryLoop {
    static constexpr ElementwiseKernels<int64_t>::Binary loop = &binary_loop<int64_t, Function>;
};
template <class Function>
struct IntegerBinaryLoop<Function, 0> {
    static constexpr ElementwiseKernels<int64_t>::Binary loop = nullptr;
};

}  // namespace

void register_elementwise_wide(KernelTable& table) {
    int32_t row = 0;
#define UNARY(name, Formula, integer)                                        \
    table.elementwise_f64.unary[row] = &unary_loop<double, Formula>;         \
    table.elementwise_i64.unary[row] = IntegerLoop<Formula, integer>::unary; \
    ++row;
#include "ops/elementwise_table.def"
#undef UNARY
    row = 0;
#define BINARY(name, Formula, integer)                                             \
    table.elementwise_f64.binary[row] = &binary_loop<double, Formula>;             \
    table.elementwise_i64.binary[row] = IntegerBinaryLoop<Formula, integer>::loop; \
    ++row;
#include "ops/elementwise_table.def"
#undef BINARY
    row = 0;
#define COMPARE(name, Formula)                                            \
    table.elementwise_f64.compare[row] = &compare_loop<double, Formula>;  \
    table.elementwise_i64.compare[row] = &compare_loop<int64_t, Formula>; \
    ++row;
#include "ops/elementwise_table.def"
#undef COMPARE
}

}  // namespace nativegrad::cpu
