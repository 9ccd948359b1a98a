// Several elementwise functions in one pass: block by block, so that what lies between them stays in the
// cache.
#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/linear_parts.h"
#include "cpu/work_buffer.h"
#include "ops/chain_steps.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t segments_per_task = 16;

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
            of_step[i] = place_of_output(params, i);
            if (of_step[i] < 0) continue;
            while (taken[of_step[i]]) ++of_step[i];
            taken[of_step[i]] = true;
            count = std::max(count, of_step[i] + 1);
        }
    }

  private:
    // As a place: output k is -1 - k; 0 where the step is none.
    static int32_t place_of_output(const ChainParams& params, int32_t step) {
        const int32_t k = output_of(params, step);
        return k < 0 ? 0 : -1 - k;
    }
};

// Stored: float and double are computed in place; 16-bit floats in float, and rounded after each step as the
// functions one by one would.
template <class Stored>
class Chain {
  public:
    using T = std::conditional_t<sizeof(Stored) == 2, float, Stored>;

    Chain(const OpCall& call, const ChainParams& params)
        : call_(call), params_(params), places_(params, call.input_count) {
        const TensorView& out = call.outputs[0];
        total_ = element_count(out);
        row_ = out.rank == 0 ? 1 : out.shape[out.rank - 1];
        bool has_rows = false;
        for (int32_t i = 0; i < call.input_count; ++i) {
            kinds_[i] = chain_input_of(call.inputs[i], out);
            has_rows = has_rows || kinds_[i] == ChainInput::row;
            if (kinds_[i] != ChainInput::scalar && call.inputs[i].dtype != out.dtype)
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
            const WorkBuffer<T> outputs(is_converted ? call_.output_count * block_size : 0);
            fill_constant_blocks(buffers.data());
            const int64_t end = std::min(segments_, (task + 1) * segments_per_task);
            for (int64_t segment = task * segments_per_task; segment < end; ++segment)
                run_segment(segment, buffers.data(), outputs.data());
        });
    }

  private:
    static constexpr bool is_converted = !std::is_same_v<Stored, T>;

    DType dtype() const { return call_.outputs[0].dtype; }

    // Numbers, and rows that are repeated, are the same in each segment.
    void fill_constant_blocks(T* buffers) const {
        for (int32_t i = 0; i < call_.input_count; ++i) {
            T* block = buffers + i * block_size;
            const TensorView& x = call_.inputs[i];
            if (kinds_[i] == ChainInput::scalar) {
                load_block(x.dtype, x.data, 1, 1, block);
                std::fill_n(block + 1, segment_ - 1, block[0]);
            } else if (kinds_[i] == ChainInput::row && !is_cut_) {
                for (int64_t at = 0; at < segment_; at += row_)
                    load_block(dtype(), x.data, 1, row_, block + at);
            }
        }
    }

    // n elements of input i from `start` on, converted into the block where they are of another type.
    const T* elements_at(int32_t i, int64_t start, int64_t n, T* block) const {
        const Stored* from = elements_of<Stored>(call_.inputs[i]) + start;
        if constexpr (is_converted) {
            load_block(dtype(), from, 1, n, block);
            return block;
        } else {
            return from;
        }
    }

    void run_segment(int64_t segment, T* buffers, T* outputs) const {
        const int64_t in_row = segment % per_row_ * segment_;
        const int64_t start = is_cut_ ? segment / per_row_ * row_ + in_row : segment * segment_;
        const int64_t n = std::min(segment_, is_cut_ ? row_ - in_row : total_ - start);
        const T* values[4 * max_rank];
        for (int32_t i = 0; i < call_.input_count; ++i) {
            T* block = buffers + i * block_size;
            values[i] = kinds_[i] == ChainInput::full             ? elements_at(i, start, n, block)
                        : kinds_[i] == ChainInput::row && is_cut_ ? elements_at(i, in_row, n, block)
                                                                  : block;
        }
        for (int32_t step = 0; step < params_.functions.count; ++step) {
            const int32_t place = places_.of_step[step];
            T* const between = buffers + (call_.input_count + std::max(place, 0)) * block_size;
            Stored* const stored =
                place < 0 ? elements_of<Stored>(call_.outputs[-1 - place]) + start : nullptr;
            if constexpr (is_converted) {
                T* const to = place < 0 ? outputs + (-1 - place) * block_size : between;
                run_step(step, values, to, n);
                round_block(to, stored, n);
                values[call_.input_count + step] = to;
            } else {
                T* const to = place < 0 ? stored : between;
                run_step(step, values, to, n);
                values[call_.input_count + step] = to;
            }
        }
    }

    // What a step made becomes what a tensor of the dtype would hold: that of an output, or none.
    void round_block(T* made, Stored* output, int64_t n) const {
        Stored unseen[block_size];
        Stored* const stored = output != nullptr ? output : unseen;
        store_block(dtype(), stored, 1, n, made);
        load_block(dtype(), stored, 1, n, made);
    }

    void run_step(int32_t step, const T* const* values, T* to, int64_t n) const {
        const int64_t function = params_.functions.values[step];
        const T* left = values[params_.lefts.values[step]];
        const double p0 = params_.p0[step].values[0], p1 = params_.p1[step].values[0];
        const auto& table = elementwise_of(T{});
        if (function < chain_unary_count) return table.unary[function](left, to, n, p0, p1);
        table.binary[function - chain_unary_count](left, values[params_.rights.values[step]], to, n, p0, p1);
    }

    const OpCall& call_;
    const ChainParams& params_;
    Places places_;
    ChainInput kinds_[2 * max_rank];
    int64_t total_, row_, segment_, per_row_, segments_;
    bool is_cut_;
};

}  // namespace

// operands that broadcast to [...] -> [...] each: step i applies function i to operands of the call, or
// results of earlier steps
void chain(const OpCall& call, const ChainParams& params) {
    check_chain(call, params);
    const TensorView& out = call.outputs[0];
    if (element_count(out) == 0) return;
    if (out.dtype == DType::float32) return Chain<float>(call, params).run();
    if (out.dtype == DType::float64) return Chain<double>(call, params).run();
    if (out.dtype == DType::float16) return Chain<Float16>(call, params).run();
    if (out.dtype == DType::bfloat16) return Chain<BFloat16>(call, params).run();
    fail("needs a float dtype, got %s", dtype_name(out.dtype));
}

}  // namespace nativegrad::cpu
