// Several elementwise functions in one pass: block by block, so that what lies between them stays in the
// cache.
#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/linear_parts.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

constexpr int32_t unary_count = static_cast<int32_t>(UnaryFunction::count);
constexpr int32_t binary_count = static_cast<int32_t>(BinaryFunction::count);
constexpr int64_t segments_per_task = 16;

// full: laid out as the outputs are; row: one value for each place of the last axis; scalar: one for all.
enum class InputKind { full, row, scalar };

bool same_dense_layout(const TensorView& a, const TensorView& b) {
    if (a.rank != b.rank || !std::equal(a.shape, a.shape + a.rank, b.shape)) return false;
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] > 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

InputKind kind_of(const TensorView& x, const TensorView& out) {
    if (is_one_value(x)) return InputKind::scalar;
    if (same_dense_layout(x, out)) return InputKind::full;
    const bool is_row = out.rank > 0 && x.rank > 0 && element_count(x) == x.shape[x.rank - 1] &&
                        x.shape[x.rank - 1] == out.shape[out.rank - 1] && x.strides[x.rank - 1] == 1 &&
                        is_row_major(out);
    if (!is_row) fail("an operand is neither laid out as the result, nor a row, nor a number");
    return InputKind::row;
}

void check_steps(const OpCall& call, const ChainParams& params) {
    const int32_t steps = params.functions.count, inputs = call.input_count;
    if (steps < 1 || params.lefts.count != steps || params.rights.count != steps ||
        params.outputs.count != call.output_count || inputs > 2 * max_rank)
        fail("needs a function and two operands for each step, and a step for each output");
    for (int32_t i = 0; i < steps; ++i) {
        const int64_t function = params.functions.values[i], limit = inputs + i;
        if (function < 0 || function >= unary_count + binary_count)
            fail("no function %lld", static_cast<long long>(function));
        const bool is_binary = function >= unary_count;
        if (params.lefts.values[i] < 0 || params.lefts.values[i] >= limit ||
            (is_binary && (params.rights.values[i] < 0 || params.rights.values[i] >= limit)))
            fail("step %d reads what is not there yet", i);
    }
    for (int32_t i = 0; i < params.outputs.count; ++i) {
        if (params.outputs.values[i] < 0 || params.outputs.values[i] >= steps)
            fail("no step for output %d", i);
    }
}

// Which buffer each step writes into: output k as -1 - k, else a place that nobody needs any more.
struct Places {
    int32_t of_step[2 * max_rank];
    int32_t count = 0;

    explicit Places(const ChainParams& params, int32_t inputs) {
        const int32_t steps = params.functions.count;
        int32_t last_use[2 * max_rank];
        for (int32_t i = 0; i < steps; ++i) last_use[i] = i + 1;
        for (int32_t i = 0; i < steps; ++i) {
            for (const int64_t operand : {params.lefts.values[i], right_of(params, i)}) {
                if (operand >= inputs) last_use[operand - inputs] = i;
            }
        }
        bool taken[2 * max_rank] = {};
        for (int32_t i = 0; i < steps; ++i) {
            for (int32_t before = 0; before < i; ++before) {
                if (of_step[before] >= 0 && last_use[before] == i) taken[of_step[before]] = false;
            }
            of_step[i] = output_of(params, i);
            if (of_step[i] < 0) continue;
            while (taken[of_step[i]]) ++of_step[i];
            taken[of_step[i]] = true;
            count = std::max(count, of_step[i] + 1);
        }
    }

    static int64_t right_of(const ChainParams& params, int32_t step) {
        return params.functions.values[step] >= unary_count ? params.rights.values[step] : -1;
    }

  private:
    static int32_t output_of(const ChainParams& params, int32_t step) {
        for (int32_t k = 0; k < params.outputs.count; ++k) {
            if (params.outputs.values[k] == step) return -1 - k;
        }
        return 0;
    }
};

template <class T>
class Chain {
  public:
    Chain(const OpCall& call, const ChainParams& params)
        : call_(call), params_(params), places_(params, call.input_count) {
        const TensorView& out = call.outputs[0];
        total_ = element_count(out);
        row_ = out.rank == 0 ? 1 : out.shape[out.rank - 1];
        bool has_rows = false;
        for (int32_t i = 0; i < call.input_count; ++i) {
            kinds_[i] = kind_of(call.inputs[i], out);
            has_rows = has_rows || kinds_[i] == InputKind::row;
            if (kinds_[i] != InputKind::scalar && call.inputs[i].dtype != own_dtype<T>())
                fail("needs operands of one dtype");
        }
        // Segments hold whole rows, or lie within one.
        is_cut_ = has_rows && row_ > block_size;
        segment_ = !has_rows || is_cut_ ? block_size : row_ * (block_size / row_);
        per_row_ = is_cut_ ? divide_up(row_, segment_) : 1;
        segments_ = is_cut_ ? total_ / row_ * per_row_ : divide_up(total_, segment_);
    }

    void run() const {
        parallel_for(divide_up(segments_, segments_per_task), [&](int64_t task) {
            const WorkBuffer<T> buffers((call_.input_count + places_.count) * block_size);
            fill_constant_blocks(buffers.data());
            const int64_t end = std::min(segments_, (task + 1) * segments_per_task);
            for (int64_t segment = task * segments_per_task; segment < end; ++segment)
                run_segment(segment, buffers.data());
        });
    }

  private:
    // Numbers, and rows that are repeated, are the same in each segment.
    void fill_constant_blocks(T* buffers) const {
        for (int32_t i = 0; i < call_.input_count; ++i) {
            T* block = buffers + i * block_size;
            const TensorView& x = call_.inputs[i];
            if (kinds_[i] == InputKind::scalar) {
                load_block(x.dtype, x.data, 1, 1, block);
                std::fill_n(block + 1, segment_ - 1, block[0]);
            } else if (kinds_[i] == InputKind::row && !is_cut_) {
                for (int64_t at = 0; at < segment_; at += row_)
                    std::copy_n(elements_of<T>(x), row_, block + at);
            }
        }
    }

    void run_segment(int64_t segment, T* buffers) const {
        const int64_t in_row = segment % per_row_ * segment_;
        const int64_t start = is_cut_ ? segment / per_row_ * row_ + in_row : segment * segment_;
        const int64_t n = std::min(segment_, is_cut_ ? row_ - in_row : total_ - start);
        const T* values[4 * max_rank];
        for (int32_t i = 0; i < call_.input_count; ++i) {
            values[i] = kinds_[i] == InputKind::full             ? elements_of<T>(call_.inputs[i]) + start
                        : kinds_[i] == InputKind::row && is_cut_ ? elements_of<T>(call_.inputs[i]) + in_row
                                                                 : buffers + i * block_size;
        }
        for (int32_t step = 0; step < params_.functions.count; ++step) {
            const int32_t place = places_.of_step[step];
            T* to = place < 0 ? elements_of<T>(call_.outputs[-1 - place]) + start
                              : buffers + (call_.input_count + place) * block_size;
            run_step(step, values, to, n);
            values[call_.input_count + step] = to;
        }
    }

    void run_step(int32_t step, const T* const* values, T* to, int64_t n) const {
        const int64_t function = params_.functions.values[step];
        const T* left = values[params_.lefts.values[step]];
        const double p0 = params_.p0[step].values[0], p1 = params_.p1[step].values[0];
        const auto& table = elementwise_of(T{});
        if (function < unary_count) return table.unary[function](left, to, n, p0, p1);
        table.binary[function - unary_count](left, values[params_.rights.values[step]], to, n, p0, p1);
    }

    const OpCall& call_;
    const ChainParams& params_;
    Places places_;
    InputKind kinds_[2 * max_rank];
    int64_t total_, row_, segment_, per_row_, segments_;
    bool is_cut_;
};

}  // namespace

// operands that broadcast to [...] -> [...] each: step i applies function i to operands of the call, or
// results of earlier steps
void chain(const OpCall& call, const ChainParams& params) {
    if (call.output_count < 1) fail("needs an output");
    check_steps(call, params);
    const TensorView& out = call.outputs[0];
    for (int32_t i = 0; i < call.output_count; ++i) {
        if (!is_dense(call.outputs[i]) || !same_dense_layout(call.outputs[i], out) ||
            call.outputs[i].dtype != out.dtype)
            fail("needs outputs of one dtype and dense layout");
    }
    if (element_count(out) == 0) return;
    if (out.dtype == DType::float32) return Chain<float>(call, params).run();
    if (out.dtype == DType::float64) return Chain<double>(call, params).run();
    fail("needs float32 or float64, got %s", dtype_name(out.dtype));
}

}  // namespace nativegrad::cpu
