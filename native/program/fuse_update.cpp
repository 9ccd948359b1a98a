#include "program/fuse.h"

namespace nativegrad {

namespace {

OpCode fused_with(const Instruction& update) {
    return update.op == OpCode::adam_step ? OpCode::linear_backward_weight_adam
                                          : OpCode::linear_backward_weight_sgd;
}

class UpdateRules {
  public:
    explicit UpdateRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (r_.removed[call] || r_.calls[call].input_count != 0) continue;
            if (const size_t size = update_group_size(r_.calls[call])) take_groups(call, size);
        }
    }

  private:
    void take_groups(size_t update, size_t size) {
        for (size_t product = 0; product < update; ++product) {
            if (!r_.removed[product] && is_weight_gradient(product)) fuse(product, update, size);
        }
        if (r_.calls[update].operands.empty()) r_.removed[update] = true;
    }

    bool is_weight_gradient(size_t call) const {
        const Instruction& instruction = r_.calls[call];
        if (instruction.op == OpCode::linear_backward_weight) return true;
        if (instruction.op != OpCode::matmul || instruction.operands[2].view.rank != 2 ||
            instruction.operands[0].view.rank != 2 || instruction.operands[1].view.rank != 2)
            return false;
        const MatmulParams params = params_of<MatmulParams>(instruction);
        return params.transpose_a != 0 && params.transpose_b == 0 &&
               instruction.operands[0].view.dtype == DType::float32;
    }

    // Where the group of this gradient begins, if the update is all that sees it.
    std::optional<size_t> group_of(const Operand& gradient, size_t update, size_t size) const {
        if (!r_.is_temporary(gradient)) return std::nullopt;
        const Uses uses = r_.uses_of(gradient.buffer);
        if (!uses.readers.empty() || uses.writers.size() != 2 || uses.writers[1] != update)
            return std::nullopt;
        const std::vector<Operand>& operands = r_.calls[update].operands;
        for (size_t first = 0; first < operands.size(); first += size) {
            if (same_view(operands[first + 1], gradient)) return first;
        }
        return std::nullopt;
    }

    void fuse(size_t product, size_t update, size_t size) {
        const Operand dy = r_.input(product, 0), x = r_.input(product, 1);
        const std::vector<Operand> gradients(r_.calls[product].operands.begin() + 2,
                                             r_.calls[product].operands.end());
        std::vector<size_t> groups;
        for (const Operand& gradient : gradients) {
            const auto group = group_of(gradient, update, size);
            if (!group) return;
            groups.push_back(*group);
        }
        const std::vector<Operand> taken = tensors_of(update, groups, size);
        const auto is_wide = [](const Operand& operand) {
            return operand.buffer >= 0 && operand.view.dtype == DType::float32;
        };
        if (!std::all_of(taken.begin(), taken.end(), is_wide) || !are_factors(dy, x)) return;
        if (!pays(dy.view.shape[0], dy.view.shape[1], x.view.shape[1])) return;
        if (!std::all_of(taken.begin(), taken.end(), [](const Operand& t) { return is_row_major(t.view); }))
            return;
        // The update comes as soon as the gradient is there, so nobody may look at these until it was due.
        const auto comes_too_early = [&](const Operand& tensor) {
            return !r_.is_untouched(tensor, product, update) || tensor.buffer == dy.buffer ||
                   tensor.buffer == x.buffer;
        };
        if (std::any_of(taken.begin(), taken.end(), comes_too_early)) return;
        r_.replace(product, fused_with(r_.calls[update]), {dy, x}, taken, r_.calls[update]);
        drop(update, std::move(groups), size);
    }

    static bool are_factors(const Operand& dy, const Operand& x) {
        const DType dtype = dy.view.dtype;
        return dy.buffer >= 0 && x.buffer >= 0 && x.view.dtype == dtype && x.view.strides[1] == 1 &&
               (dtype == DType::float32 || dtype == DType::bfloat16 || dtype == DType::float16);
    }

    // Of dy [m, n] and x [m, k]. On the CPU large products share packed operands, and few rows of the
    // gradient cannot be divided among threads: there two calls are faster. Elsewhere a call less is a launch
    // less, and the gradient is neither written nor read.
    bool pays(int64_t m, int64_t n, int64_t k) const {
        if (r_.program.device != 0) return true;
        const bool is_large = m >= 128 && n * k > (int64_t{1} << 17);
        const bool has_few_rows = n < 64 && n * k > (int64_t{1} << 14);
        return !is_large && !has_few_rows;
    }

    void drop(size_t update, std::vector<size_t> groups, size_t size) {
        std::sort(groups.rbegin(), groups.rend());
        std::vector<Operand>& operands = r_.calls[update].operands;
        for (const size_t first : groups) {
            const auto begin = operands.begin() + static_cast<std::ptrdiff_t>(first);
            operands.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
        }
        r_.calls[update].numbers.resize(operands.size());
    }

    // The parameters and their state, without the gradients.
    std::vector<Operand> tensors_of(size_t update, const std::vector<size_t>& groups, size_t size) const {
        std::vector<Operand> result;
        const std::vector<Operand>& operands = r_.calls[update].operands;
        for (const size_t first : groups) {
            for (size_t i = 0; i < size; ++i) {
                if (i != 1) result.push_back(operands[first + i]);
            }
        }
        return result;
    }

    Rewrite& r_;
};

}  // namespace

size_t update_group_size(const Instruction& call) {
    // A loss scaler's update waits for all gradients.
    if (call.input_count != 0) return 0;
    if (call.op != OpCode::adam_step && call.op != OpCode::sgd_step) return 0;
    return update_groups(call)->size;
}

void fuse_updates(Rewrite& rewrite) { UpdateRules(rewrite).run(); }

}  // namespace nativegrad
