#include "program/fuse.h"

namespace nativegrad {

namespace {

bool is_product(const Instruction& call, bool turned) {
    if (call.op != OpCode::matmul || call.operands[2].view.rank != 2) return false;
    const MatmulParams params = params_of<MatmulParams>(call);
    return (params.transpose_a != 0) == turned && params.transpose_b == 0;
}

class LinearRules {
  public:
    explicit LinearRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (r_.removed[call]) continue;
            const Instruction& instruction = r_.calls[call];
            if (instruction.op == OpCode::linear && !fuse_activation(call))
                fuse_second_operand(call, OpCode::linear_residual);
            else if (is_product(instruction, false))
                fuse_second_operand(call, OpCode::linear_backward_input);
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
    bool fuse_activation(size_t linear) {
        const Operand sums = r_.output(linear, 0);
        if (!has_one_float(r_.calls[linear]) || !r_.is_in_arena(sums) || !r_.is_written_once(sums) ||
            !is_row_major(sums.view) || !has_dense_bias(linear))
            return false;
        const Uses uses = r_.uses_of(sums.buffer);
        const auto fits = [&](size_t call) {
            return r_.calls[call].op == OpCode::unary && same_elements(r_.input(call, 0), sums) &&
                   is_row_major(r_.output(call, 0).view) && r_.output(call, 0).view.dtype == sums.view.dtype;
        };
        const auto activation = Rewrite::only(uses.readers, fits);
        if (!activation) return false;
        Operand activated = r_.output(*activation, 0);
        if (!r_.is_in_arena(activated) || !r_.is_written_once(activated) || activated.buffer == sums.buffer)
            return false;
        const std::vector<Operand>& operands = r_.calls[linear].operands;
        const auto is_result = [&](const Operand& x) { return x.buffer == activated.buffer; };
        if (std::any_of(operands.begin(), operands.end(), is_result)) return false;
        activated.view.rank = sums.view.rank;
        std::copy_n(sums.view.shape, sums.view.rank, activated.view.shape);
        std::copy_n(sums.view.strides, sums.view.rank, activated.view.strides);
        std::vector<Operand> inputs(r_.calls[linear].operands.begin(),
                                    r_.calls[linear].operands.begin() + r_.calls[linear].input_count);
        std::vector<Operand> outputs{activated};
        if (uses.readers.size() > 1 || !r_.is_temporary(sums)) outputs.push_back(sums);
        r_.replace(linear, OpCode::linear_activation, std::move(inputs), outputs, r_.calls[*activation]);
        r_.removed[*activation] = true;
        return true;
    }

    // dx = f(dy w, kept), or y = f(x w^T + b, r)
    void fuse_second_operand(size_t product, OpCode fused) {
        const Operand made = r_.output(product, 0);
        if (!has_one_float(r_.calls[product]) || !is_row_major(made.view) || !has_dense_bias(product)) return;
        const auto uses = r_.private_uses(made, 1);
        if (!uses) return;
        const size_t call = uses->readers[0];
        if (r_.calls[call].op != OpCode::binary || !has_one_float(r_.calls[call])) return;
        const size_t place = r_.input(call, 0).buffer == made.buffer ? 0 : 1;
        if (place == 1 && !takes_any_order(r_.calls[call])) return;
        const Operand other = r_.input(call, 1 - place);
        Operand result = r_.output(call, 0);
        if (!same_elements(r_.input(call, place), made) || !is_row_major(other.view) ||
            !is_row_major(result.view) || element_count(other.view) != element_count(made.view) ||
            element_count(result.view) != element_count(made.view) ||
            !r_.is_unwritten(other, product, call) || !r_.is_untouched(result, product, call) ||
            overlaps_inputs(product, result) || result.buffer == other.buffer || other.buffer == made.buffer)
            return;
        Operand rows = made;
        rows.buffer = other.buffer;
        rows.byte_offset = other.byte_offset;
        result.view.rank = 2;
        std::copy_n(made.view.shape, 2, result.view.shape);
        std::copy_n(made.view.strides, 2, result.view.strides);
        std::vector<Operand> inputs{r_.input(product, 0), r_.input(product, 1), rows};
        if (r_.calls[product].input_count == 3) inputs.push_back(r_.input(product, 2));
        r_.replace(product, fused, std::move(inputs), {result}, r_.calls[call]);
        r_.removed[call] = true;
    }

    static bool takes_any_order(const Instruction& call) {
        const int32_t function = params_of<BinaryParams>(call).function;
        return function == static_cast<int32_t>(BinaryFunction::add) ||
               function == static_cast<int32_t>(BinaryFunction::mul);
    }

    // A result that is written before all of the factors are read must not share memory with them.
    bool overlaps_inputs(size_t product, const Operand& result) {
        const std::vector<Operand>& operands = r_.calls[product].operands;
        return std::any_of(operands.begin(), operands.begin() + r_.calls[product].input_count,
                           [&](const Operand& x) { return x.buffer == result.buffer; });
    }

    // dw = dy^T x with db = sums of dy's columns. Those of two-byte floats go where casts would put them.
    void fuse_weight_gradient(size_t product) {
        if (!has_one_float(r_.calls[product]) || r_.input(product, 0).view.rank != 2 ||
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
        if (!is_two_byte_float(narrow.view.dtype)) return;
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
