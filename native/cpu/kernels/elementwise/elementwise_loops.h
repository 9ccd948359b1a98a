// Vector loops over elementwise_math.h for float. Included inside an instruction-set namespace.

template <class Function>
void unary_f32(const float* x, float* y, int64_t n, double p0, double p1) {
    const F32 c0(p0), c1(p1);
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) store(y + i, Function::apply(load(x + i), c0, c1));
    if (i < n) store_part(y + i, Function::apply(load_part(x + i, n - i), c0, c1), n - i);
}

template <class Function>
void binary_f32(const float* a, const float* b, float* y, int64_t n, double p0, double p1) {
    const F32 c0(p0), c1(p1);
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width)
        store(y + i, Function::apply(load(a + i), load(b + i), c0, c1));
    if (i < n)
        store_part(y + i, Function::apply(load_part(a + i, n - i), load_part(b + i, n - i), c0, c1), n - i);
}

template <class Function>
void compare_f32(const float* a, const float* b, uint8_t* y, int64_t n) {
    int64_t i = 0;
    for (; i + F32::width <= n; i += F32::width) {
        store_mask(y + i, Function::apply(load(a + i), load(b + i)), F32::width);
    }
    if (i < n) store_mask(y + i, Function::apply(load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
}

void fill_elementwise(ElementwiseKernels<float>& table) {
    int32_t row = 0;
#define UNARY(name, Formula, integer) table.unary[row++] = &unary_f32<Formula>;
#include "ops/elementwise_table.def"
#undef UNARY
    row = 0;
#define BINARY(name, Formula, integer) table.binary[row++] = &binary_f32<Formula>;
#include "ops/elementwise_table.def"
#undef BINARY
    row = 0;
#define COMPARE(name, Formula) table.compare[row++] = &compare_f32<Formula>;
#include "ops/elementwise_table.def"
#undef COMPARE
}
