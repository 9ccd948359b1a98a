#include "program/fuse.h"

namespace nativegrad {

namespace {

bool is_two(const IntList& list, int64_t value) {
    return list.count == 2 && list.values[0] == value && list.values[1] == value;
}

class BatchNormRules {
  public:
    explicit BatchNormRules(Rewrite& rewrite)
        : r_(rewrite), program_(rewrite.program), calls_(rewrite.calls) {}

    void run() {
        for (size_t call = 0; call < calls_.size(); ++call) {
            if (!r_.removed[call] && calls_[call].op == OpCode::batch_norm) fuse(call);
        }
        for (size_t call = 0; call < calls_.size(); ++call) {
            if (!r_.removed[call] && is_batch_norm(call)) take_statistics_early(call);
        }
    }

  private:
    Operand& input(size_t call, size_t i) { return r_.input(call, i); }
    Operand& output(size_t call, size_t i) { return r_.output(call, i); }

    bool is_two_by_two_pool(size_t call, OpCode op) const {
        if (calls_[call].op != op) return false;
        const PoolParams pool = params_of<PoolParams>(calls_[call]);
        return is_two(pool.kernel, 2) && is_two(pool.stride, 2) && is_two(pool.padding, 0) &&
               is_two(pool.dilation, 1);
    }

    // x -> normalised -> activated (-> pooled, index)
    void fuse(size_t norm) {
        const auto normalised = r_.private_uses(output(norm, 0), 1);
        if (!normalised) return;
        const size_t relu = normalised->readers[0];
        if (!is_relu(calls_[relu]) || !same_view(output(norm, 0), input(relu, 0)) ||
            !same_layout(output(norm, 0), output(relu, 0)) || !r_.is_written_once(output(relu, 0)))
            return;
        if (fuse_with_pool(norm, relu)) return;
        const auto backward = find_relu_backward(norm, relu);
        calls_[norm].op = OpCode::batch_norm_relu;
        output(norm, 0) = output(relu, 0);
        r_.removed[relu] = true;
        if (!backward) return;
        const Operand activated = output(norm, 0);
        replace_gradient(backward->relu, backward->norm, {input(backward->relu, 0)}, {activated},
                         OpCode::batch_norm_relu_backward);
    }

    struct Backward {
        size_t relu, norm;
    };

    bool is_batch_norm(size_t call) const {
        const OpCode op = calls_[call].op;
        return op == OpCode::batch_norm || op == OpCode::batch_norm_relu ||
               op == OpCode::batch_norm_relu_pool;
    }

    // The convolution in front takes the statistics of what it writes while that lies in the cache.
    void take_statistics_early(size_t norm) {
        const Operand x = input(norm, 0);
        BatchNormParams params = params_of<BatchNormParams>(calls_[norm]);
        const bool is_float = x.view.dtype == DType::float32 || x.view.dtype == DType::float64;
        if (params.training != 1 || !is_float || !r_.is_stable(x)) return;
        const Uses uses = r_.uses_of(x.buffer);
        if (uses.writers.size() != 1) return;
        const size_t conv = uses.writers[0];
        if (calls_[conv].op != OpCode::conv2d || !same_view(output(conv, 0), x)) return;
        const Operand mean = new_vector(x.view.shape[1]), squares = new_vector(x.view.shape[1]);
        calls_[conv].op = OpCode::conv2d_statistics;
        add_operands(conv, calls_[conv].operands.size(), mean, squares);
        params.training = 2;
        calls_[norm].reorders = true;
        std::memcpy(calls_[norm].params.data(), &params, sizeof params);
        add_operands(norm, static_cast<size_t>(calls_[norm].input_count), mean, squares);
        calls_[norm].input_count += 2;
    }

    void add_operands(size_t call, size_t at, const Operand& first, const Operand& second) {
        std::vector<Operand>& operands = calls_[call].operands;
        operands.insert(operands.begin() + static_cast<std::ptrdiff_t>(at), {first, second});
        calls_[call].numbers.resize(operands.size());
    }

    // A temporary of `size` doubles.
    Operand new_vector(int64_t size) {
        const int64_t bytes = size * static_cast<int64_t>(sizeof(double));
        program_.buffers.push_back({Place::arena, bytes, 0, -1, {}, true});
        Operand operand{{}, static_cast<int32_t>(program_.buffers.size()) - 1, 0};
        operand.view.dtype = DType::float64;
        operand.view.rank = 1;
        operand.view.shape[0] = size;
        operand.view.strides[0] = 1;
        return operand;
    }

    // relu's and batch norm's backward calls of this pair; none where the gradient in between has other
    // readers, or where there are several passes.
    std::optional<Backward> find_relu_backward(size_t norm, size_t relu) {
        const Operand& activated = output(relu, 0);
        const Uses uses = r_.uses_of(activated.buffer);
        const auto masked = Rewrite::only(uses.readers, [&](size_t call) {
            return is_relu_backward(calls_[call]) && same_view(calls_[call].operands[1], activated);
        });
        if (!masked) return std::nullopt;
        const auto gradient = r_.private_uses(output(*masked, 0), 1);
        if (!gradient || !r_.is_stable(input(*masked, 0))) return std::nullopt;
        const size_t back = gradient->readers[0];
        // The same batch norm: its x and the mean that it wrote.
        if (calls_[back].op != OpCode::batch_norm_backward ||
            !same_view(input(back, 0), output(*masked, 0)) || !same_view(input(back, 1), input(norm, 0)) ||
            !same_view(input(back, 2), output(norm, 1)))
            return std::nullopt;
        return Backward{*masked, back};
    }

    // Puts `front` in the place of the gradient, and `behind` behind it and x: dy (, more), x (, more), mean,
    // ...
    void replace_gradient(size_t masked, size_t back, std::vector<Operand> front, std::vector<Operand> behind,
                          OpCode op) {
        Instruction& call = calls_[back];
        std::vector<Operand> operands = std::move(front);
        operands.push_back(call.operands[1]);
        operands.insert(operands.end(), behind.begin(), behind.end());
        operands.insert(operands.end(), call.operands.begin() + 2, call.operands.end());
        call.input_count += static_cast<int32_t>(operands.size() - call.operands.size());
        call.operands = std::move(operands);
        call.numbers.resize(call.operands.size());
        call.op = op;
        r_.removed[masked] = true;
    }

    bool fuse_with_pool(size_t norm, size_t relu) {
        const Operand activated = output(relu, 0);
        const auto alone = r_.private_uses(activated, 1), trained = r_.private_uses(activated, 2);
        if (!alone && !trained) return false;
        const auto pool = Rewrite::only((alone ? alone : trained)->readers, [&](size_t call) {
            return is_two_by_two_pool(call, OpCode::max_pool2d) &&
                   same_view(calls_[call].operands[0], activated);
        });
        if (!pool || output(*pool, 1).view.dtype != DType::uint8) return false;
        const Operand pooled = output(*pool, 0), index = output(*pool, 1);
        if (!r_.is_written_once(pooled) || !r_.is_written_once(index)) return false;
        if (trained && !fuse_pool_backward(norm, relu, *pool)) return false;
        calls_[norm].op = OpCode::batch_norm_relu_pool;
        std::vector<Operand>& operands = calls_[norm].operands;
        output(norm, 0) = pooled;
        operands.insert(operands.begin() + calls_[norm].input_count + 1, index);
        r_.removed[relu] = r_.removed[*pool] = true;
        return true;
    }

    bool fuse_pool_backward(size_t norm, size_t relu, size_t pool) {
        const auto backward = find_relu_backward(norm, relu);
        if (!backward) return false;
        const Operand pooled = output(pool, 0), index = output(pool, 1);
        const auto spread = r_.private_uses(input(backward->relu, 0), 1);
        if (!spread) return false;
        const size_t unpool = spread->writers[0];
        if (!is_two_by_two_pool(unpool, OpCode::max_pool2d_backward) || !same_view(input(unpool, 1), index) ||
            !same_view(output(unpool, 0), input(backward->relu, 0)) || !r_.is_stable(input(unpool, 0)))
            return false;
        replace_gradient(backward->relu, backward->norm, {input(unpool, 0), pooled, index}, {},
                         OpCode::batch_norm_relu_pool_backward);
        calls_[backward->norm].reorders = true;
        r_.removed[unpool] = true;
        return true;
    }

    Rewrite& r_;
    Program& program_;
    std::vector<Instruction>& calls_;
};

}  // namespace

void fuse_batch_norms(Rewrite& rewrite) { BatchNormRules(rewrite).run(); }

}  // namespace nativegrad
