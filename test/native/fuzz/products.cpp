#include <utility>

#include "case.h"
#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemm_tuning.h"

namespace nativegrad::fuzz {

namespace {

// An operand's batch shape that broadcasts to `batch`.
Shape broadcast_from(Random& random, const Shape& batch) {
    Shape shape = batch;
    for (int64_t& size : shape) size = random.chance(0.3) ? 1 : size;
    while (!shape.empty() && random.chance(0.3)) shape.erase(shape.begin());
    return shape;
}

// Offset of a batch in an operand of that batch shape, counted in matrices.
int64_t batch_index(const Shape& batch, const Shape& own, int64_t index) {
    int64_t result = 0, stride = 1;
    for (size_t i = 0; i < batch.size(); ++i) {
        const int64_t at = index % batch[batch.size() - 1 - i];
        index /= batch[batch.size() - 1 - i];
        if (i >= own.size()) continue;
        const int64_t size = own[own.size() - 1 - i];
        result += (size == 1 ? 0 : at) * stride;
        stride *= size;
    }
    return result;
}

struct Product {
    Shape batch, batch_a, batch_b;
    int64_t m, n, k;
    bool transpose_a, transpose_b, large;

    // Of a large product, a few rows and columns are looked at closely.
    bool is_checked(int64_t i, int64_t j) const {
        return !large || i % 97 == 0 || j % 97 == 5 || i == m - 1 || j == n - 1;
    }
};

Shape matrix(Shape batch, int64_t rows, int64_t columns, bool transposed) {
    batch.push_back(transposed ? columns : rows);
    batch.push_back(transposed ? rows : columns);
    return batch;
}

std::vector<Check> check_product(const Case& made, const Product& p) {
    const Operand &a = made.inputs[0], &b = made.inputs[1], &out = made.outputs[0];
    const DType dtype = out.view.dtype, compute = compute_of(a.view.dtype);
    std::vector<Expected> expected;
    const auto at = [](bool transposed, int64_t row, int64_t column, int64_t rows, int64_t columns) {
        return transposed ? column * rows + row : row * columns + column;
    };
    for (int64_t batch = 0; batch < size_of(p.batch); ++batch) {
        const double* left = a.values.data() + batch_index(p.batch, p.batch_a, batch) * p.m * p.k;
        const double* right = b.values.data() + batch_index(p.batch, p.batch_b, batch) * p.k * p.n;
        for (int64_t i = 0; i < p.m; ++i) {
            for (int64_t j = 0; j < p.n; ++j) {
                if (!p.is_checked(i, j)) {
                    expected.push_back({0, 4.0 * static_cast<double>(p.k + 1)});
                    continue;
                }
                Sum sum;
                for (int64_t k = 0; k < p.k; ++k)
                    sum.add(left[at(p.transpose_a, i, k, p.m, p.k)] *
                            right[at(p.transpose_b, k, j, p.k, p.n)]);
                if (made.inputs.size() == 3) sum.add(made.inputs[2].values[static_cast<size_t>(j)]);
                expected.push_back(sum.within(compute, dtype));
            }
        }
    }
    return {{&out, "product", std::move(expected)}};
}

void draw_sizes(Random& random, Product& p) {
    const bool small = random.chance(0.9);
    do {
        const int64_t largest = small ? 70 : 300;
        p.m = random.size(largest), p.n = random.size(largest), p.k = random.size(small ? 130 : 800);
    } while (p.m * p.n * p.k > (small ? 60000 : 600000));
    // Some beyond what is packed in one piece, so that all threads share a copy.
    const double kind = random.uniform();
    if (p.large && kind < 0.15) {
        p.m = random.integer(300, 450), p.n = random.integer(440, 550), p.k = random.integer(370, 600);
    } else if (p.large && kind < 0.4) {
        // Rows a page apart fall into one set of the first-level cache, and are packed.
        const bool wide = random.chance(0.5);
        p.m = random.integer(60, 90), p.n = wide ? 1024 : random.integer(120, 150);
        p.k = wide ? random.integer(60, 90) : 1024;
    } else if (p.large) {
        p.m = random.size(300), p.n = random.size(300), p.k = random.integer(60, 600);
    }
    for (int64_t* size : {&p.m, &p.n, &p.k}) {
        if (random.chance(0.01)) *size = 0;
    }
}

}  // namespace

// a [..., M, K] or [..., K, M], b [..., K, N] or [..., N, K] -> [..., M, N]; or x [M, K], w [N, K], bias [N]
Case draw_product(Workbench& bench) {
    Random& random = bench.random();
    const auto normal = [&] { return random.uniform(-1, 1) + random.uniform(-1, 1); };
    Product p{};
    const bool linear = random.chance(0.25);
    p.large = bench.large();
    draw_sizes(random, p);
    if (!linear && !p.large) {
        for (int64_t axes = random.chance(0.3) ? random.integer(1, 2) : 0; axes > 0; --axes)
            p.batch.push_back(random.integer(1, 3));
    }
    p.batch_a = broadcast_from(random, p.batch);
    p.batch_b = broadcast_from(random, p.batch);
    p.transpose_a = !linear && random.chance(0.4);
    p.transpose_b = linear || random.chance(0.4);
    const DType dtype = random.pick({DType::float32, DType::float32, DType::float32, DType::float64,
                                     DType::float64, DType::bfloat16, DType::bfloat16, DType::float16});
    const bool to_float = dtype != DType::float64 && random.chance(0.3);
    Case made;
    made.inputs.push_back(
        bench.input(matrix(p.batch_a, p.m, p.k, p.transpose_a), dtype, Layout::any, normal));
    made.inputs.push_back(
        bench.input(matrix(p.batch_b, p.k, p.n, p.transpose_b), dtype, Layout::any, normal));
    if (linear && random.chance(0.7)) made.inputs.push_back(bench.input({p.n}, dtype, Layout::any, normal));
    if (!p.large && random.chance(0.1)) bench.spoil(made.inputs[static_cast<size_t>(random.integer(0, 1))]);
    made.outputs.push_back(bench.output(matrix(p.batch, p.m, p.n, false), to_float ? DType::float32 : dtype));
    if (linear) {
        call_with(made, OpCode::linear, NoParams{});
    } else {
        call_with(made, OpCode::matmul, MatmulParams{p.transpose_a, p.transpose_b});
    }
    made.checks = [p](const Case& ran) { return check_product(ran, p); };
    made.ways.push_back(cpu::gemm_runs_inline(p.m, p.n, p.k) ? Way::product_inline : Way::product_cut);
    if (!p.transpose_b && cpu::gemm_tuning::is_blocked(p.m, p.n, p.k))
        made.ways.push_back(Way::product_blocked);
    return made;
}

}  // namespace nativegrad::fuzz
