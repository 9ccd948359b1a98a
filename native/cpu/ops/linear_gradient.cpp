// The gradients of a linear layer's weight and bias, and the optimizer's step with them in one go.
#include <optional>

#include "cpu/cpu_backend.h"
#include "cpu/gemm/gemm_bf16_loops.h"
#include "cpu/gemm/gemm_loops.h"
#include "cpu/ops/linear_parts.h"
#include "cpu/ops/low_copy.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cpu {

namespace {

void check_gradients(const TensorView& dy, const TensorView& x) {
    if (dy.rank != 2 || x.rank != 2 || dy.shape[0] != x.shape[0]) fail("needs dy [M, N] and x [M, K]");
}

void check_weight(const TensorView& w, int64_t n, int64_t k) {
    if (!is_matrix(w, n, k) || !is_row_major(w)) fail("needs a row-major weight [N, K]");
}

void check_bias(const TensorView& b, int64_t n) {
    if (b.rank != 1 || b.shape[0] != n || !is_row_major(b)) fail("needs a dense bias [N]");
}

// A parameter with what its optimizer keeps beside it.
struct Group {
    const TensorView* tensors;
    float* at(int32_t i, int64_t offset) const { return elements_of<float>(tensors[i]) + offset; }
};

// Rows of the gradient that are made before they are used up: with as many columns they stay in the first two
// caches, and a panel of x that has to be packed serves more of them.
constexpr int64_t rows_at_once = 14, rows_per_packing = 112, columns_at_once = 1024;

// How the gradient's rows are made, and divided among the threads.
template <class S>
struct WeightProblem {
    GemmProblem<float, S> product;
    int64_t n, k, block, parts;

    WeightProblem(const TensorView& dy, const TensorView& x)
        : product{kernels().gemm_f32, dy.shape[0], {elements_of<S>(dy), dy.strides[1], dy.strides[0]},
                  matrix_of<S>(x),    0,           is_half<S>,
                  is_half<S>},
          n(dy.shape[1]),
          k(x.shape[1]) {
        const Matrix<S>&a = product.a, &b = product.b;
        if constexpr (!is_half<S>) {
            product.packs_b =
                b.column_stride != 1 || gemm_tuning::packs_columns(n, k, product.k, b.row_stride * 4, 4);
            product.packs_a = gemm_tuning::packs_rows(k, a.row_stride * 4, a.column_stride * 4);
        }
        block = product.packs_b ? rows_per_packing : rows_at_once;
        product.vectors = gemm_tuning::tile_vectors(product.kernels, std::min(n, block),
                                                    divide_up(k, product.kernels.width));
        parts = parts_of(n, k, product.k, product.tile_columns());
    }

    void multiply(Range rows, Range columns, float* gradient) const {
        multiply_region(product, rows, columns, gradient, columns.size(), false);
        if constexpr (is_half<S>) round_in_place<S>(gradient, rows.size() * columns.size());
    }

    static int64_t parts_of(int64_t n, int64_t k, int64_t m, int64_t tile_columns) {
        const auto grid = choose_owned_grid(n, std::min(k, gemm_tuning::owned_other), m, GemmOwner::rows,
                                            tile_columns, std::min<int64_t>(n, 8));
        return grid ? grid->rows : 1;
    }
};

// The same with the kernels of bfloat16.
struct Bf16WeightProblem {
    Bf16Problem product;
    int64_t n, k, block = rows_per_packing, parts;

    Bf16WeightProblem(const TensorView& dy, const TensorView& x)
        : product{kernels().gemm_bf16,
                  dy.shape[0],
                  {elements_of<BFloat16>(dy), dy.strides[1], dy.strides[0]},
                  matrix_of<BFloat16>(x),
                  0,
                  dy.strides[0] != 1},
          n(dy.shape[1]),
          k(x.shape[1]) {
        product.vectors = gemm_tuning::tile_vectors(product.kernels, std::min(n, block),
                                                    divide_up(k, product.kernels.width));
        parts = WeightProblem<BFloat16>::parts_of(n, k, product.k, product.tile_columns());
    }

    void multiply(Range rows, Range columns, float* gradient) const {
        multiply_region(product, rows, columns, {nullptr, 0, gradient, nullptr, columns.size(), true});
    }
};

// update(first element, gradient, count) for these rows, a block at a time
template <class Problem, class Update>
void each_block(const Problem& problem, Range rows, const Update& update) {
    const int64_t k = problem.k, block = problem.block;
    const WorkBuffer<float> gradient(std::min(block, rows.size()) * std::min(k, columns_at_once));
    const int64_t blocks = divide_up(rows.size(), block);
    for (int64_t i = 0; i < blocks; ++i) {
        const Range within = part_of(rows.size(), blocks, i);
        const Range some{rows.begin + within.begin, rows.begin + within.end};
        for (int64_t j = 0; j < k; j += columns_at_once) {
            const Range columns{j, std::min(k, j + columns_at_once)};
            problem.multiply(some, columns, gradient.data());
            for (int64_t row = some.begin; row < some.end; ++row)
                update(row * k + j, gradient.data() + (row - some.begin) * columns.size(), columns.size());
        }
    }
}

// Calls body(problem) with the problem of factors that are stored as S.
template <class S, class Body>
void with_weight_problem(const TensorView& dy, const TensorView& x, const Body& body) {
    if constexpr (std::is_same_v<S, BFloat16>) {
        if (kernels().gemm_bf16.width != 0) return body(Bf16WeightProblem(dy, x));
    }
    body(WeightProblem<S>(dy, x));
}

// What gradients of factors of this dtype may be: the same, or float32 with the values of two-byte floats.
// group: the tensors of a group, of an update; the last of them may be a copy.
void check_dtypes(const OpCall& call, int32_t group = 0, bool casts = false) {
    const DType dtype = call.inputs[0].dtype;
    bool fits = call.inputs[1].dtype == dtype;
    for (int32_t i = 0; i < call.output_count; ++i) {
        const TensorView& made = call.outputs[i];
        if (casts && i % group == group - 1) {
            check_low_copy(call.outputs[i - group + 1], made);
            continue;
        }
        const bool is_wide = is_two_byte_float(dtype) && made.dtype == DType::float32;
        fits = fits && (is_wide || (made.dtype == dtype && !(group > 0 && is_two_byte_float(dtype))));
    }
    if (!fits) fail("needs operands of one dtype, or float32 results of two-byte floats");
}

// dy, x -> groups of `tensors` tensors: the weight, then what the optimizer keeps (and a copy, see
// low_copies.h); the same for the bias where there is one. update(group, first element, gradient, count);
// update_rows(problem, weight, rows) makes rows of the weight's gradient and uses them up.
template <class Update, class UpdateRows>
void gradient_and_update(const OpCall& call, int32_t tensors, bool casts, const Update& update,
                         const UpdateRows& update_rows) {
    const int32_t size = tensors + (casts ? 1 : 0);
    const bool has_bias = call.output_count == 2 * size;
    expect_operands(call, 2, has_bias ? 2 * size : size);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1];
    check_gradients(dy, x);
    const int64_t n = dy.shape[1], k = x.shape[1];
    for (int32_t i = 0; i < call.output_count; ++i) {
        if (i < size)
            check_weight(call.outputs[i], n, k);
        else
            check_bias(call.outputs[i], n);
    }
    check_dtypes(call, size, casts);
    const Group weight{call.outputs}, bias{call.outputs + size};
    with_stored_float(dy.dtype, [&](auto type) {
        using S = decltype(type);
        if constexpr (std::is_same_v<S, double>) {
            fail("needs float32, got float64");
        } else {
            const ColumnSums<S> sums(dy);
            const bool in_parts = has_bias && k > 0 && sums.is_divisible();
            if (has_bias && !in_parts) {
                const WorkBuffer<float> gradient(n);
                sums.run_all(gradient.data());
                update(bias, 0, gradient.data(), n);
            }
            if (k == 0 || n == 0) return;
            with_weight_problem<S>(dy, x, [&](const auto& problem) {
                parallel_for(problem.parts, [&](int64_t part) {
                    const Range rows = part_of(n, problem.parts, part);
                    if (in_parts) {
                        sums.run(rows, [&](int64_t i, const float* sum, int64_t count) {
                            update(bias, i, sum, count);
                        });
                    }
                    update_rows(problem, weight, rows);
                });
            });
        }
    });
}

// With a kernel that does both at once, where k is one block and the factors can be read in place.
template <class Problem>
bool joins_adam(const Problem&) {
    return false;
}
bool joins_adam(const WeightProblem<float>& problem) {
    const GemmProblem<float>& product = problem.product;
    return kernels().optimizer.adam_product != nullptr && !product.packs_b && product.a.row_stride == 1 &&
           product.k > 0 && gemm_tuning::block_depth(product.k) >= product.k;
}

}  // namespace

// dy [M, N], x [M, K] -> dw [N, K] = dy^T x(, db [N] = sums of dy's columns)
void linear_backward_weight(const OpCall& call, const NoParams&) {
    expect_operands(call, 2, call.output_count == 1 ? 1 : 2);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dw = call.outputs[0];
    check_gradients(dy, x);
    const int64_t m = dy.shape[0], n = dy.shape[1], k = x.shape[1];
    check_weight(dw, n, k);
    const TensorView* db = call.output_count == 2 ? &call.outputs[1] : nullptr;
    if (db != nullptr) check_bias(*db, n);
    check_dtypes(call);
    with_stored_float(dy.dtype, [&](auto type) {
        using S = decltype(type);
        using T = ComputeOf<S>;
        const ColumnSums<S> sums(dy);
        const auto keep = [&](int64_t i, const T* sum, int64_t count) {
            store_block(db->dtype, element(*db, i), 1, count, sum);
        };
        const bool in_parts = db != nullptr && k > 0 && sums.is_divisible();
        if (db != nullptr && !in_parts) {
            const WorkBuffer<T> all(n);
            sums.run_all(all.data());
            keep(0, all.data(), n);
        }
        const auto finish = [&](Range rows, Range columns) {
            if (in_parts && columns.begin == 0) sums.run(rows, keep);
        };
        const Matrix<S> turned{elements_of<S>(dy), dy.strides[1], dy.strides[0]};
        const GemmExtras extras = finished_by(GemmOwner::rows, finish);
        if constexpr (is_half<S>) {
            if (dw.dtype == DType::float32) {
                const HalfProduct<S> wide{elements_of<float>(dw), nullptr, k, true};
                return gemm(n, k, m, turned, matrix_of<S>(x), wide, nullptr, extras);
            }
        }
        multiply_into<S>(n, k, m, turned, matrix_of<S>(x), elements_of<S>(dw), nullptr, extras);
    });
}

// dy [M, N], x [M, K] -> w, m, v(, largest v)(, copy) [N, K](; b, m, v(, largest v)(, copy) [N]): the update
// of `adam_step` with dw = dy^T x (and db = sums of dy's columns)
void linear_backward_weight_adam(const OpCall& call, const AdamParams& params) {
    const AdamStep step = adam_step_of(params);
    const bool amsgrad = params.amsgrad != 0, casts = params.casts != 0;
    const int32_t tensors = amsgrad ? 4 : 3;
    const auto update = [&](const Group& group, int64_t i, const float* gradient, int64_t n) {
        kernels().optimizer.adam(step, group.at(0, i), gradient, group.at(1, i), group.at(2, i),
                                 amsgrad ? group.at(3, i) : nullptr, n);
        if (casts) write_low_copy(group.tensors[0], group.tensors[tensors], i, n);
    };
    gradient_and_update(
        call, tensors, casts, update, [&](const auto& problem, const Group& weight, Range rows) {
            if (amsgrad || casts || !joins_adam(problem)) {
                return each_block(problem, rows, [&](int64_t i, const float* gradient, int64_t n) {
                    update(weight, i, gradient, n);
                });
            }
            if constexpr (std::is_same_v<std::decay_t<decltype(problem)>, WeightProblem<float>>) {
                const Matrix<float>&a = problem.product.a, &b = problem.product.b;
                const int64_t at = rows.begin * problem.k;
                kernels().optimizer.adam_product(
                    step, problem.product.k, a.data + rows.begin, a.column_stride, b.data, b.row_stride,
                    rows.size(), problem.k, weight.at(0, at), weight.at(1, at), weight.at(2, at), problem.k);
            }
        });
}

// dy [M, N], x [M, K] -> w(, velocity)(, copy) [N, K](; b(, velocity)(, copy) [N]): the update of `sgd_step`
void linear_backward_weight_sgd(const OpCall& call, const SgdParams& params) {
    const SgdStep step = sgd_step_of(params);
    const bool has_velocity = params.has_velocity != 0, casts = params.casts != 0;
    const int32_t tensors = has_velocity ? 2 : 1;
    const auto update = [&](const Group& group, int64_t i, const float* gradient, int64_t n) {
        kernels().optimizer.sgd(step, group.at(0, i), gradient, has_velocity ? group.at(1, i) : nullptr, n);
        if (casts) write_low_copy(group.tensors[0], group.tensors[tensors], i, n);
    };
    gradient_and_update(
        call, tensors, casts, update, [&](const auto& problem, const Group& weight, Range rows) {
            each_block(problem, rows,
                       [&](int64_t i, const float* gradient, int64_t n) { update(weight, i, gradient, n); });
        });
}

}  // namespace nativegrad::cpu
