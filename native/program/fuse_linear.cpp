#include "program/fuse.h"

namespace nativegrad {

namespace {

bool is_two_bytes(const Operand& x) {
    return x.view.dtype == DType::bfloat16 || x.view.dtype == DType::float16;
}

bool is_product(const Instruction& call, bool turned) {
    if (call.op != OpCode::matmul || call.operands[2].view.rank != 2) return false;
    const MatmulParams params = params_of<MatmulParams>(call);
    return (params.transpose_a != 0) == turned && params.transpose_b == 0;
}

bool one_float(const Instruction& call) {
    const DType dtype = call.operands.back().view.dtype;
    return is_float(dtype) && std::all_of(call.operands.begin(), call.operands.end(), [&](const Operand& x) {
               return x.view.dtype == dtype && x.buffer >= 0;
           });
}

class LinearRules {
  public:
    explicit LinearRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (r_.removed[call]) continue;
            const Instruction& instruction = r_.calls[call];
            if (instruction.op == OpCode::linear)
                fuse_activation(call);
            else if (is_product(instruction, false))
                fuse_mask(call);
            else if (is_product(instruction, true))
                fuse_weight_gradient(call);
        }
    }

  private:
    bool has_dense_bias(size_t call) {
        if (r_.calls[call].input_count < 3) return true;
        const TensorView& bias = r_.input(call, 2).view;
        return bias.strides[0] == 1 || bias.shape[0] == 1;
    }

    // y = f(x w^T + b): the sums are kept beside y where a backward pass reads them.
    void fuse_activation(size_t linear) {
        const Operand sums = r_.output(linear, 0);
        if (!one_float(r_.calls[linear]) || !r_.is_in_arena(sums) || !r_.is_written_once(sums) ||
            !is_row_major(sums.view) || !has_dense_bias(linear))
            return;
        const Uses uses = r_.uses_of(sums.buffer);
        const auto fits = [&](size_t call) {
            return r_.calls[call].op == OpCode::unary && same_elements(r_.input(call, 0), sums) &&
                   is_row_major(r_.output(call, 0).view) && r_.output(call, 0).view.dtype == sums.view.dtype;
        };
        const auto activation = Rewrite::only(uses.readers, fits);
        if (!activation) return;
        Operand activated = r_.output(*activation, 0);
        if (!r_.is_in_arena(activated) || !r_.is_written_once(activated) || activated.buffer == sums.buffer)
            return;
        const std::vector<Operand>& operands = r_.calls[linear].operands;
        const auto is_result = [&](const Operand& x) { return x.buffer == activated.buffer; };
        if (std::any_of(operands.begin(), operands.end(), is_result)) return;
        activated.view.rank = sums.view.rank;
        std::copy_n(sums.view.shape, sums.view.rank, activated.view.shape);
        std::copy_n(sums.view.strides, sums.view.rank, activated.view.strides);
        std::vector<Operand> inputs(r_.calls[linear].operands.begin(),
                                    r_.calls[linear].operands.begin() + r_.calls[linear].input_count);
        std::vector<Operand> outputs{activated};
        if (uses.readers.size() > 1 || !r_.is_temporary(sums)) outputs.push_back(sums);
        r_.replace(linear, OpCode::linear_activation, std::move(inputs), outputs, r_.calls[*activation]);
        r_.removed[*activation] = true;
    }

    // dx = f(dy w, kept)
    void fuse_mask(size_t product) {
        const Operand gradient = r_.output(product, 0);
        if (!one_float(r_.calls[product]) || !is_row_major(gradient.view)) return;
        const auto uses = r_.private_uses(gradient, 1);
        if (!uses) return;
        const size_t mask = uses->readers[0];
        if (r_.calls[mask].op != OpCode::binary || !one_float(r_.calls[mask])) return;
        const Operand kept = r_.input(mask, 1);
        Operand masked = r_.output(mask, 0);
        if (!same_elements(r_.input(mask, 0), gradient) || !is_row_major(kept.view) ||
            !is_row_major(masked.view) || element_count(kept.view) != element_count(gradient.view) ||
            element_count(masked.view) != element_count(gradient.view) ||
            !r_.is_unwritten(kept, product, mask) || !r_.is_untouched(masked, product, mask) ||
            overlaps_inputs(product, masked) || masked.buffer == kept.buffer)
            return;
        Operand kept_rows = gradient;
        kept_rows.buffer = kept.buffer;
        kept_rows.byte_offset = kept.byte_offset;
        masked.view.rank = 2;
        std::copy_n(gradient.view.shape, 2, masked.view.shape);
        std::copy_n(gradient.view.strides, 2, masked.view.strides);
        r_.replace(product, OpCode::linear_backward_input,
                   {r_.input(product, 0), r_.input(product, 1), kept_rows}, {masked}, r_.calls[mask]);
        r_.removed[mask] = true;
    }

    // A result that is written before all of the factors are read must not share memory with them.
    bool overlaps_inputs(size_t product, const Operand& result) {
        return r_.input(product, 0).buffer == result.buffer || r_.input(product, 1).buffer == result.buffer;
    }

    // dw = dy^T x with db = sums of dy's columns. Those of two-byte floats go where casts would put them.
    void fuse_weight_gradient(size_t product) {
        if (!one_float(r_.calls[product]) || r_.input(product, 0).view.rank != 2 ||
            r_.input(product, 1).view.rank != 2 || !is_row_major(r_.output(product, 0).view))
            return;
        fuse_column_sums(product);
        for (size_t i = 0; i < r_.output_count(product); ++i) widen(product, i);
    }

    void fuse_column_sums(size_t product) {
        const Operand dy = r_.input(product, 0), dw = r_.output(product, 0);
        const Uses uses = r_.uses_of(dy.buffer);
        const auto fits = [&](size_t call) { return call > product && is_column_sum(call, dy); };
        const auto sum = Rewrite::only(uses.readers, fits);
        if (!sum) return;
        const Operand db = r_.output(*sum, 0);
        if (!r_.is_unwritten(dy, product, *sum) || !r_.is_untouched(db, product, *sum) ||
            db.buffer == dw.buffer || overlaps_inputs(product, db))
            return;
        r_.replace(product, OpCode::linear_backward_weight, {dy, r_.input(product, 1)}, {dw, db},
                   Instruction{});
        r_.removed[*sum] = true;
    }

    // A gradient of two-byte floats that is only cast is written as float32, with the same values.
    void widen(size_t product, size_t i) {
        const Operand narrow = r_.output(product, i);
        if (!is_two_bytes(narrow)) return;
        const auto uses = r_.private_uses(narrow, 1);
        if (!uses) return;
        const size_t cast = uses->readers[0];
        if (r_.calls[cast].op != OpCode::copy || !same_view(r_.input(cast, 0), narrow)) return;
        const Operand wide = r_.output(cast, 0);
        const bool fits = wide.view.dtype == DType::float32 && wide.view.rank == narrow.view.rank &&
                          std::equal(wide.view.shape, wide.view.shape + wide.view.rank, narrow.view.shape) &&
                          is_row_major(wide.view);
        if (!fits || !r_.is_untouched(wide, product, cast) || overlaps_inputs(product, wide) ||
            shares_output(product, wide))
            return;
        std::vector<Operand> outputs;
        for (size_t k = 0; k < r_.output_count(product); ++k)
            outputs.push_back(k == i ? wide : r_.output(product, k));
        r_.replace(product, OpCode::linear_backward_weight, {r_.input(product, 0), r_.input(product, 1)},
                   outputs, Instruction{});
        r_.removed[cast] = true;
    }

    bool shares_output(size_t product, const Operand& result) {
        for (size_t k = 0; k < r_.output_count(product); ++k) {
            if (r_.output(product, k).buffer == result.buffer) return true;
        }
        return false;
    }

    bool is_column_sum(size_t call, const Operand& dy) {
        if (r_.calls[call].op != OpCode::reduce || !same_view(r_.input(call, 0), dy)) return false;
        const ReduceParams params = params_of<ReduceParams>(r_.calls[call]);
        const Operand& sums = r_.output(call, 0);
        return params.function == static_cast<int32_t>(ReduceFunction::sum) && params.axes.count == 1 &&
               params.axes.values[0] == 0 && sums.view.rank == 1 && is_row_major(sums.view) &&
               sums.view.dtype == dy.view.dtype;
    }

    Rewrite& r_;
};

}  // namespace

void fuse_linear_layers(Rewrite& rewrite) { LinearRules(rewrite).run(); }

}  // namespace nativegrad
