#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/cpu_backend.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

// The reduced axes and the kept axes of x, each as a small shape of its own; kept axes run in output order.
struct ReductionPlan {
    int32_t kept_rank = 0, reduced_rank = 0;
    int64_t kept_shape[max_rank], kept_strides[max_rank];
    int64_t reduced_shape[max_rank], reduced_strides[max_rank];
    int64_t outputs = 1, count = 1;

    ReductionPlan(const TensorView& x, const IntList& axes) {
        bool reduced[max_rank] = {};
        for (int32_t i = 0; i < axes.count; ++i) {
            if (axes.values[i] < 0 || axes.values[i] >= x.rank)
                fail("axis %d of rank %d", static_cast<int>(axes.values[i]), x.rank);
            reduced[axes.values[i]] = true;
        }
        for (int32_t axis = 0; axis < x.rank; ++axis) {
            if (reduced[axis]) {
                count *= x.shape[axis];
                append(reduced_rank, reduced_shape, reduced_strides, x.shape[axis], x.strides[axis]);
            } else {
                outputs *= x.shape[axis];
                append(kept_rank, kept_shape, kept_strides, x.shape[axis], x.strides[axis]);
            }
        }
        if (reduced_rank == 0) {
            reduced_rank = 1;
            reduced_shape[0] = reduced_strides[0] = 1;
        }
    }

    int64_t kept_offset(int64_t output) const {
        int64_t offset = 0;
        for (int32_t axis = kept_rank - 1; axis >= 0; --axis) {
            offset += output % kept_shape[axis] * kept_strides[axis];
            output /= kept_shape[axis];
        }
        return offset;
    }

    // body(element offset relative to the output's, stride, n) over runs of at most block_size, in row-major
    // order
    template <class Body>
    void each_run(const Body& body) const {
        const int64_t inner = reduced_shape[reduced_rank - 1], stride = reduced_strides[reduced_rank - 1];
        const int64_t rows = inner == 0 ? 0 : count / inner;
        for (int64_t row = 0; row < rows; ++row) {
            int64_t rest = row, offset = 0;
            for (int32_t axis = reduced_rank - 2; axis >= 0; --axis) {
                offset += rest % reduced_shape[axis] * reduced_strides[axis];
                rest /= reduced_shape[axis];
            }
            for (int64_t i = 0; i < inner; i += block_size)
                body(offset + i * stride, stride, std::min(block_size, inner - i));
        }
    }

  private:
    // Joins the axis with the one before it where one stride walks both.
    static void append(int32_t& rank, int64_t* shape, int64_t* strides, int64_t size, int64_t stride) {
        if (size == 1) return;
        if (rank > 0 && strides[rank - 1] == size * stride) {
            shape[rank - 1] *= size;
            strides[rank - 1] = stride;
            return;
        }
        shape[rank] = size;
        strides[rank++] = stride;
    }
};

float block_sum(const float* x, int64_t n) { return kernels().reduce.sum(x, n); }
template <class T>
T block_sum(const T* x, int64_t n) {
    T total = 0;
    for (int64_t i = 0; i < n; ++i) total += x[i];
    return total;
}

template <class T>
class Reducer {
  public:
    // Sums of blocks are joined in double (integers: in int64), one block after the other.
    using Total = std::conditional_t<std::is_same_v<T, int64_t>, int64_t, double>;

    Reducer(const TensorView& x, const ReductionPlan& plan, const ReduceParams& params)
        : x_(x), plan_(plan), function_(static_cast<ReduceFunction>(params.function)), p0_(params.p0) {}

    Total reduce(int64_t output) const {
        const int64_t base = plan_.kept_offset(output);
        switch (function_) {
            case ReduceFunction::sum:
                return sum(base);
            case ReduceFunction::mean:
                return static_cast<Total>(static_cast<double>(sum(base)) / static_cast<double>(plan_.count));
            case ReduceFunction::prod:
                return fold(base, Total(1), [](Total a, T v) { return a * static_cast<Total>(v); });
            case ReduceFunction::max:
                return extreme(base, [](Total a, Total b) { return b > a || b != b; });
            case ReduceFunction::min:
                return extreme(base, [](Total a, Total b) { return b < a || b != b; });
            case ReduceFunction::var:
                return variance(base);
            case ReduceFunction::logsumexp:
                return log_sum_exp(base);
            case ReduceFunction::any:
                return fold(base, Total(0), [](Total a, T v) { return Total(a != 0 || v != 0); });
            case ReduceFunction::all:
                return fold(base, Total(1), [](Total a, T v) { return Total(a != 0 && v != 0); });
            case ReduceFunction::norm1:
                return fold(base, Total(0),
                            [](Total a, T v) { return a + static_cast<Total>(v < 0 ? -v : v); });
            case ReduceFunction::norm2:
                return static_cast<Total>(
                    std::sqrt(static_cast<double>(fold(base, Total(0), [](Total a, T v) {
                        return a + static_cast<Total>(v) * static_cast<Total>(v);
                    }))));
            case ReduceFunction::count:
                break;
        }
        fail("no function %d", static_cast<int>(function_));
    }

    template <class Body>
    void each_block(int64_t base, const Body& body) const {
        T buffer[block_size];
        plan_.each_run([&](int64_t offset, int64_t stride, int64_t n) {
            const void* from = element(x_, base + offset);
            if (x_.dtype == own_dtype<T>() && stride == 1) return body(static_cast<const T*>(from), n);
            load_block(x_.dtype, from, stride, n, buffer);
            body(buffer, n);
        });
    }

  private:
    template <class Step>
    Total fold(int64_t base, Total start, Step step) const {
        Total total = start;
        each_block(base, [&](const T* values, int64_t n) {
            for (int64_t i = 0; i < n; ++i) total = step(total, values[i]);
        });
        return total;
    }

    Total sum(int64_t base) const {
        Total total = 0;
        each_block(base,
                   [&](const T* values, int64_t n) { total += static_cast<Total>(block_sum(values, n)); });
        return total;
    }

    template <class Better>
    Total extreme(int64_t base, Better better) const {
        bool first = true;
        Total best = 0;
        each_block(base, [&](const T* values, int64_t n) {
            for (int64_t i = 0; i < n; ++i) {
                const Total value = static_cast<Total>(values[i]);
                if (first || (best == best && better(best, value))) best = value;
                first = false;
            }
        });
        return best;
    }

    // Two passes: the mean, then the squares around it; p0 is the correction (1 = Bessel's).
    Total variance(int64_t base) const {
        const double mean = static_cast<double>(sum(base)) / static_cast<double>(plan_.count);
        double total = 0;
        each_block(base, [&](const T* values, int64_t n) {
            for (int64_t i = 0; i < n; ++i) {
                const double distance = static_cast<double>(values[i]) - mean;
                total += distance * distance;
            }
        });
        return static_cast<Total>(total / std::max(static_cast<double>(plan_.count) - p0_, 0.0));
    }

    Total log_sum_exp(int64_t base) const {
        if (plan_.count == 0) return static_cast<Total>(-std::numeric_limits<double>::infinity());
        const double largest =
            static_cast<double>(extreme(base, [](Total a, Total b) { return b > a || b != b; }));
        if (std::isinf(largest) || largest != largest) return static_cast<Total>(largest);
        double total = 0;
        each_block(base, [&](const T* values, int64_t n) {
            for (int64_t i = 0; i < n; ++i) total += std::exp(static_cast<double>(values[i]) - largest);
        });
        return static_cast<Total>(largest + std::log(total));
    }

    const TensorView& x_;
    const ReductionPlan& plan_;
    ReduceFunction function_;
    double p0_;
};

constexpr int64_t row_chunk = 256;  // rows of one partial sum in sum_rows

// Sums of the leading axis of a dense float matrix [rows, n]: chunks of rows, joined in order.
void sum_rows(const float* x, int64_t rows, int64_t n, float* out, double scale) {
    constexpr int64_t column_chunk = 64;
    parallel_for((n + column_chunk - 1) / column_chunk, [&](int64_t task) {
        const int64_t first = task * column_chunk, width = std::min(column_chunk, n - first);
        double total[column_chunk] = {};
        for (int64_t row = 0; row < rows; row += row_chunk) {
            float partial[column_chunk] = {};
            kernels().reduce.add_rows(x + row * n + first, n, std::min(row_chunk, rows - row), partial,
                                      width);
            for (int64_t j = 0; j < width; ++j) total[j] += static_cast<double>(partial[j]);
        }
        for (int64_t j = 0; j < width; ++j) out[first + j] = static_cast<float>(total[j] * scale);
    });
}

// True where x is [reduced..., kept...] in memory, so that columns can be summed side by side.
bool sums_columns(const TensorView& x, const TensorView& out, const ReductionPlan& plan,
                  ReduceFunction function) {
    return (function == ReduceFunction::sum || function == ReduceFunction::mean) &&
           x.dtype == DType::float32 && out.dtype == DType::float32 && plan.kept_rank == 1 &&
           plan.kept_strides[0] == 1 && plan.reduced_rank == 1 &&
           plan.reduced_strides[0] == plan.kept_shape[0] && plan.count > 0;
}

template <class T>
void run_reduce(const OpCall& call, const ReduceParams& params, const ReductionPlan& plan) {
    const Reducer<T> reducer(call.inputs[0], plan, params);
    const TensorView& out = call.outputs[0];
    const int64_t per_task = std::max<int64_t>(1, 16384 / std::max<int64_t>(plan.count, 1));
    parallel_for((plan.outputs + per_task - 1) / per_task, [&](int64_t task) {
        const int64_t end = std::min(plan.outputs, (task + 1) * per_task);
        for (int64_t i = task * per_task; i < end; ++i) {
            const auto value = reducer.reduce(i);
            store_block(out.dtype, element(out, i), 1, 1, &value);
        }
    });
}

template <class T>
int64_t find_extreme(const Reducer<T>& reducer, int64_t base, bool largest) {
    int64_t best_index = 0, index = 0;
    T best{};
    reducer.each_block(base, [&](const T* values, int64_t n) {
        for (int64_t i = 0; i < n; ++i, ++index) {
            const T value = values[i];
            const bool better = largest ? value > best : value < best;
            // The first NaN wins over everything, as in PyTorch.
            if (index == 0 || (best == best && (better || value != value))) {
                best = value;
                best_index = index;
            }
        }
    });
    return best_index;
}

}  // namespace

// x [...] -> out: x without the reduced axes (or with size 1 there), row-major
void reduce(const OpCall& call, const ReduceParams& params) {
    expect_operands(call, 1, 1);
    const TensorView& x = call.inputs[0];
    const ReductionPlan plan(x, params.axes);
    const auto function = static_cast<ReduceFunction>(params.function);
    if (params.function < 0 || function >= ReduceFunction::count) fail("no function %d", params.function);
    if (element_count(call.outputs[0]) != plan.outputs) fail("the output has the wrong size");
    if (sums_columns(x, call.outputs[0], plan, function)) {
        const double scale = function == ReduceFunction::mean ? 1.0 / static_cast<double>(plan.count) : 1.0;
        return sum_rows(static_cast<const float*>(x.data), plan.count, plan.kept_shape[0],
                        static_cast<float*>(call.outputs[0].data), scale);
    }
    with_compute_type(x.dtype, [&](auto type) { run_reduce<decltype(type)>(call, params, plan); });
}

// x [...] -> index of the first extreme along the reduced axes (flattened), integer dtype
void arg_reduce(const OpCall& call, const ReduceParams& params) {
    expect_operands(call, 1, 1);
    const ReductionPlan plan(call.inputs[0], params.axes);
    if (plan.count == 0 && plan.outputs > 0) fail("no elements to choose from");
    const TensorView& out = call.outputs[0];
    with_compute_type(call.inputs[0].dtype, [&](auto type) {
        const Reducer<decltype(type)> reducer(call.inputs[0], plan, params);
        const bool largest = static_cast<ArgReduceFunction>(params.function) == ArgReduceFunction::argmax;
        parallel_for(plan.outputs, [&](int64_t i) {
            const int64_t found = find_extreme(reducer, plan.kept_offset(i), largest);
            store_block(out.dtype, element(out, i), 1, 1, &found);
        });
    });
}

}  // namespace nativegrad::cpu
