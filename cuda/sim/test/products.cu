// gemm/cublaslt.h against plain loops: layouts, types, epilogues. The same on a GPU.
#include <cmath>
#include <cstdio>

#include "device/half.h"
#include "gemm/cublaslt.h"
#include "sim/test/check.h"

namespace nativegrad::cuda::test {

namespace {

// Sixteenths: exact in every type.
double number(int64_t i) { return static_cast<double>((i * 29 + 7) % 33 - 16) / 16; }

double value_of(float x) { return x; }
double value_of(double x) { return x; }
double value_of(Float16 x) { return to_float(x); }
double value_of(BFloat16 x) { return to_float(x); }
template <class T>
T of(double x);
template <>
float of<float>(double x) {
    return static_cast<float>(x);
}
template <>
double of<double>(double x) {
    return x;
}
template <>
Float16 of<Float16>(double x) {
    return to_float16(static_cast<float>(x));
}
template <>
BFloat16 of<BFloat16>(double x) {
    return to_bfloat16(static_cast<float>(x));
}

template <class T>
std::vector<T> numbers(int64_t count, int64_t offset) {
    std::vector<T> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(of<T>(number(i + offset)));
    return values;
}

Product dense(DType type, int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
    Product p;
    p.type = p.output = type;
    p.m = m, p.n = n, p.k = k;
    p.transpose_a = transpose_a, p.transpose_b = transpose_b;
    p.row_a = transpose_a ? m : k;
    p.row_b = transpose_b ? k : n;
    p.row_c = n;
    return p;
}

void expect_near(double got, double expected, double tolerance, const std::string& what) {
    expect(std::fabs(got - expected) <= tolerance * (1 + std::fabs(expected)),
           what + ": " + std::to_string(got) + ", not " + std::to_string(expected));
}

// Every product of a batch with padded rows, and C added to.
template <class T>
void try_layouts(DType type, double tolerance) {
    for (int form = 0; form < 4; ++form) {
        Product p = dense(type, 24, 40, 16, (form & 1) != 0, (form & 2) != 0);
        p.row_a += 8, p.row_b += 16, p.row_c += 8;
        p.batch = 3;
        const int64_t rows_a = p.transpose_a ? p.k : p.m, rows_b = p.transpose_b ? p.n : p.k;
        p.stride_a = rows_a * p.row_a + 32;
        p.stride_b = 0;
        p.stride_c = p.m * p.row_c;
        p.alpha = 0.5, p.beta = 2;
        const std::vector<T> a = numbers<T>(p.stride_a * p.batch, 0), b = numbers<T>(rows_b * p.row_b, 3);
        const std::vector<T> c = numbers<T>(p.stride_c * p.batch, 5);
        Buffer<T> device_a(a), device_b(b), device_c(c);
        expect(multiply(p, device_a.data(), device_b.data(), device_c.data(), {}, {}), "has an algorithm");
        const std::vector<T> got = device_c.values();
        for (int64_t at = 0; at < p.stride_c * p.batch; ++at) {
            const int64_t q = at / p.stride_c, i = at % p.stride_c / p.row_c, j = at % p.row_c;
            const double before = value_of(c[static_cast<size_t>(at)]);
            double sum = 0;
            for (int64_t l = 0; l < p.k; ++l) {
                const int64_t place_a = q * p.stride_a + (p.transpose_a ? l * p.row_a + i : i * p.row_a + l);
                const int64_t place_b = p.transpose_b ? j * p.row_b + l : l * p.row_b + j;
                if (j < p.n)
                    sum +=
                        value_of(a[static_cast<size_t>(place_a)]) * value_of(b[static_cast<size_t>(place_b)]);
            }
            const double expected = j < p.n ? 0.5 * sum + 2 * before : before;
            expect_near(value_of(got[static_cast<size_t>(at)]), expected, tolerance,
                        "form " + std::to_string(form) + " element " + std::to_string(at));
        }
    }
}

struct Fused {
    Product p = dense(DType::float16, 16, 64, 32, false, true);
    Buffer<Float16> a{numbers<Float16>(16 * 32, 0)}, b{numbers<Float16>(64 * 32, 9)}, c{16 * 64};
    Buffer<Float16> bias{numbers<Float16>(64, 4)};
    Buffer<unsigned char> mask{std::vector<unsigned char>(16 * 128 / 8, 0x5a)};
    Buffer<unsigned char> workspace{product_workspace_bytes};

    double plain(int64_t i, int64_t j) const {
        double sum = 0;
        for (int64_t l = 0; l < 32; ++l) sum += number(i * 32 + l) * number(j * 32 + l + 9);
        return sum;
    }
    // False where cuBLASLt of this GPU has no such epilogue for this layout; the simulator has all of them.
    bool run(Epilogue epilogue, void* vector, void* auxiliary, int64_t auxiliary_row) {
        p.epilogue = epilogue;
        p.bias = vector;
        p.auxiliary = auxiliary;
        p.auxiliary_row = auxiliary_row;
        if (multiply(p, a.data(), b.data(), c.data(), {workspace.data(), product_workspace_bytes}, {}))
            return true;
#ifdef NATIVEGRAD_SIM
        throw Failed("no algorithm in the simulator");
#else
        std::printf("note: cuBLASLt does not offer epilogue %d here\n", static_cast<int>(epilogue));
        return false;
#endif
    }
    double got(int64_t i, int64_t j) const { return value_of(c.values()[static_cast<size_t>(i * 64 + j)]); }
};

constexpr double half_tolerance = 2e-3;

}  // namespace

NATIVEGRAD_TEST(product_layouts) {
    try_layouts<float>(DType::float32, 1e-5);
    try_layouts<double>(DType::float64, 1e-12);
    try_layouts<Float16>(DType::float16, half_tolerance);
    try_layouts<BFloat16>(DType::bfloat16, 1.6e-2);
}

NATIVEGRAD_TEST(product_with_float_output) {
    Product p = dense(DType::bfloat16, 8, 8, 64, false, false);
    p.output = DType::float32;
    const std::vector<BFloat16> a = numbers<BFloat16>(8 * 64, 0), b = numbers<BFloat16>(64 * 8, 1);
    Buffer<BFloat16> device_a(a), device_b(b);
    Buffer<float> c(64);
    multiply(p, device_a.data(), device_b.data(), c.data(), {}, {});
    for (int64_t i = 0; i < 64; ++i) {
        double sum = 0;
        for (int64_t l = 0; l < 64; ++l) sum += number(i / 8 * 64 + l) * number(l * 8 + i % 8 + 1);
        expect_near(c.values()[static_cast<size_t>(i)], sum, 1e-5, "element");
    }
}

NATIVEGRAD_TEST(product_with_bias_relu_and_mask) {
    Fused f;
    if (!f.run(Epilogue::relu_mask_bias, f.bias.data(), f.mask.data(), 128)) return;
    const std::vector<Float16> c = f.c.values();
    for (int64_t i = 0; i < 16; ++i) {
        for (int64_t j = 0; j < 64; ++j) {
            const double v = f.plain(i, j) + number(j + 4);
            expect_near(value_of(c[static_cast<size_t>(i * 64 + j)]), v > 0 ? v : 0, half_tolerance,
                        "relu(v + bias)");
        }
    }
    // The way back: the gradient is 0 just where the output was, and its columns are summed.
    Fused back;
    Buffer<Float16> sums(64);
    if (!back.run(Epilogue::relu_backward_sum, sums.data(), f.mask.data(), 128)) return;
    const std::vector<Float16> gradient = back.c.values();
    for (int64_t j = 0; j < 64; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < 16; ++i) {
            const bool open = f.plain(i, j) + number(j + 4) > 0;
            const double expected = open ? back.plain(i, j) : 0;
            expect_near(value_of(gradient[static_cast<size_t>(i * 64 + j)]), expected, half_tolerance,
                        "masked");
            sum += expected;
        }
        expect_near(value_of(sums.values()[static_cast<size_t>(j)]), sum, 4 * half_tolerance,
                    "sum of the gradient");
    }
}

NATIVEGRAD_TEST(product_with_gelu_and_its_input) {
    Fused f;
    Buffer<Float16> input(16 * 64);
    if (!f.run(Epilogue::gelu_input_bias, f.bias.data(), input.data(), 64)) return;
    const std::vector<Float16> c = f.c.values(), kept = input.values();
    for (int64_t i = 0; i < 16 * 64; ++i) {
        const double v = f.plain(i / 64, i % 64) + number(i % 64 + 4);
        const double gelu = 0.5 * v * (1 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v)));
        expect_near(value_of(kept[static_cast<size_t>(i)]), v, half_tolerance, "input");
        expect_near(value_of(c[static_cast<size_t>(i)]), gelu, half_tolerance, "gelu");
    }
}

NATIVEGRAD_TEST(product_with_operand_sums) {
    Fused f;
    Buffer<Float16> sums_a(16), sums_b(64);
    const bool has_a = f.run(Epilogue::sum_a, sums_a.data(), nullptr, 0);
    if (has_a) expect_near(f.got(3, 5), f.plain(3, 5), half_tolerance, "product beside sum_a");
    const bool has_b = f.run(Epilogue::sum_b, sums_b.data(), nullptr, 0);
    for (int64_t i = 0; i < 64; ++i) {
        double a = 0, b = 0;
        for (int64_t l = 0; l < 32; ++l) a += number(i * 32 + l), b += number(i * 32 + l + 9);
        if (has_a && i < 16)
            expect_near(value_of(sums_a.values()[static_cast<size_t>(i)]), a, half_tolerance, "sum of A");
        if (has_b)
            expect_near(value_of(sums_b.values()[static_cast<size_t>(i)]), b, half_tolerance, "sum of B");
    }
}

NATIVEGRAD_TEST(product_refusals) {
    Product p = dense(DType::float32, 4, 4, 4, false, false);
    Buffer<float> x(16);
    const auto run = [&] { multiply(p, x.data(), x.data(), x.data(), {}, {}); };
    p.k = 0;
    expect_error(run, {"k at least 1"});
    p.k = 4, p.row_a = 3;
    expect_error(run, {"[product] rows of a"});
    p.row_a = 4, p.type = DType::int32;
    expect_error(run, {"operands must be"});
    p.type = DType::float32, p.epilogue = Epilogue::bias;
    expect_error(run, {"bias"});
    p.epilogue = Epilogue::none, p.m = 0;
    run();
}

}  // namespace nativegrad::cuda::test
