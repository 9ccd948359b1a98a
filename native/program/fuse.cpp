#include "program/fuse.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "ops/functions.h"

namespace nativegrad {

namespace {

// Calls that touch a buffer, in order.
struct Uses {
    std::vector<size_t> readers, writers;
};

template <class Params>
Params params_of(const Instruction& instruction) {
    Params params;
    std::memcpy(&params, instruction.params.data(), sizeof params);
    return params;
}

bool same_view(const Operand& a, const Operand& b) {
    return a.buffer == b.buffer && a.byte_offset == b.byte_offset && a.view.dtype == b.view.dtype &&
           a.view.rank == b.view.rank && std::equal(a.view.shape, a.view.shape + a.view.rank, b.view.shape) &&
           std::equal(a.view.strides, a.view.strides + a.view.rank, b.view.strides);
}

bool same_layout(const Operand& a, const Operand& b) {
    return a.view.dtype == b.view.dtype && a.view.rank == b.view.rank &&
           std::equal(a.view.shape, a.view.shape + a.view.rank, b.view.shape) &&
           std::equal(a.view.strides, a.view.strides + a.view.rank, b.view.strides);
}

bool is_two(const IntList& list, int64_t value) {
    return list.count == 2 && list.values[0] == value && list.values[1] == value;
}

class Fuser {
  public:
    explicit Fuser(Program& program)
        : program_(program), calls_(program.instructions), removed_(calls_.size(), false) {}

    void run() {
        for (size_t call = 0; call < calls_.size(); ++call) {
            if (calls_[call].op == OpCode::batch_norm) fuse(call);
        }
        for (size_t call = 0; call < calls_.size(); ++call) {
            if (!removed_[call] && is_batch_norm(call)) take_statistics_early(call);
        }
        size_t kept = 0;
        for (size_t call = 0; call < calls_.size(); ++call) {
            if (removed_[call]) continue;
            if (kept != call) calls_[kept] = std::move(calls_[call]);
            ++kept;
        }
        calls_.resize(kept);
    }

  private:
    Operand& input(size_t call, size_t i) { return calls_[call].operands[i]; }
    Operand& output(size_t call, size_t i) {
        return calls_[call].operands[static_cast<size_t>(calls_[call].input_count) + i];
    }

    Uses uses_of(int32_t buffer) const {
        Uses uses;
        for (size_t call = 0; call < calls_.size(); ++call) {
            if (removed_[call]) continue;
            const Instruction& instruction = calls_[call];
            for (size_t i = 0; i < instruction.operands.size(); ++i) {
                if (instruction.operands[i].buffer != buffer) continue;
                const bool is_input = i < static_cast<size_t>(instruction.input_count);
                (is_input ? uses.readers : uses.writers).push_back(call);
            }
        }
        return uses;
    }

    // A temporary that one call writes and `readers` calls read, and that nobody sees afterwards.
    std::optional<Uses> private_uses(const Operand& made, size_t readers) const {
        if (made.buffer < 0 || program_.buffers[static_cast<size_t>(made.buffer)].place != Place::arena)
            return std::nullopt;
        for (const ProgramResult& result : program_.results) {
            if (result.buffer == made.buffer) return std::nullopt;
        }
        Uses uses = uses_of(made.buffer);
        if (uses.writers.size() != 1 || uses.readers.size() != readers) return std::nullopt;
        return uses;
    }

    bool is_written_once(const Operand& made) const { return uses_of(made.buffer).writers.size() == 1; }

    // Holds the same elements at any later call.
    bool is_stable(const Operand& read) const {
        return read.buffer >= 0 &&
               program_.buffers[static_cast<size_t>(read.buffer)].place != Place::storage &&
               uses_of(read.buffer).writers.size() <= 1;
    }

    bool is_relu(size_t call) const {
        return calls_[call].op == OpCode::unary &&
               params_of<UnaryParams>(calls_[call]).function == static_cast<int32_t>(UnaryFunction::relu);
    }

    bool is_relu_backward(size_t call) const {
        return calls_[call].op == OpCode::binary && params_of<BinaryParams>(calls_[call]).function ==
                                                        static_cast<int32_t>(BinaryFunction::relu_backward);
    }

    bool is_two_by_two_pool(size_t call, OpCode op) const {
        if (calls_[call].op != op) return false;
        const PoolParams pool = params_of<PoolParams>(calls_[call]);
        return is_two(pool.kernel, 2) && is_two(pool.stride, 2) && is_two(pool.padding, 0) &&
               is_two(pool.dilation, 1);
    }

    // The only call, of those that read `made`, for which `fits` holds; none where there are several.
    template <class Fits>
    std::optional<size_t> only(const std::vector<size_t>& readers, const Fits& fits) const {
        std::optional<size_t> found;
        for (const size_t call : readers) {
            if (!fits(call)) continue;
            if (found) return std::nullopt;
            found = call;
        }
        return found;
    }

    // x -> normalised -> activated (-> pooled, index)
    void fuse(size_t norm) {
        const auto normalised = private_uses(output(norm, 0), 1);
        if (!normalised) return;
        const size_t relu = normalised->readers[0];
        if (!is_relu(relu) || !same_view(output(norm, 0), input(relu, 0)) ||
            !same_layout(output(norm, 0), output(relu, 0)) || !is_written_once(output(relu, 0)))
            return;
        if (fuse_with_pool(norm, relu)) return;
        const auto backward = find_relu_backward(norm, relu);
        calls_[norm].op = OpCode::batch_norm_relu;
        output(norm, 0) = output(relu, 0);
        removed_[relu] = true;
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
        if (params.training != 1 || !is_float || !is_stable(x)) return;
        const Uses uses = uses_of(x.buffer);
        if (uses.writers.size() != 1) return;
        const size_t conv = uses.writers[0];
        if (calls_[conv].op != OpCode::conv2d || !same_view(output(conv, 0), x)) return;
        const Operand mean = new_vector(x.view.shape[1]), squares = new_vector(x.view.shape[1]);
        calls_[conv].op = OpCode::conv2d_statistics;
        add_operands(conv, calls_[conv].operands.size(), mean, squares);
        params.training = 2;
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
        const Uses uses = uses_of(activated.buffer);
        const auto masked = only(uses.readers, [&](size_t call) {
            return is_relu_backward(call) && same_view(calls_[call].operands[1], activated);
        });
        if (!masked) return std::nullopt;
        const auto gradient = private_uses(output(*masked, 0), 1);
        if (!gradient || !is_stable(input(*masked, 0))) return std::nullopt;
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
        removed_[masked] = true;
    }

    bool fuse_with_pool(size_t norm, size_t relu) {
        const Operand activated = output(relu, 0);
        const auto alone = private_uses(activated, 1), trained = private_uses(activated, 2);
        if (!alone && !trained) return false;
        const auto pool = only((alone ? alone : trained)->readers, [&](size_t call) {
            return is_two_by_two_pool(call, OpCode::max_pool2d) &&
                   same_view(calls_[call].operands[0], activated);
        });
        if (!pool || output(*pool, 1).view.dtype != DType::uint8) return false;
        const Operand pooled = output(*pool, 0), index = output(*pool, 1);
        if (!is_written_once(pooled) || !is_written_once(index)) return false;
        if (trained && !fuse_pool_backward(norm, relu, *pool)) return false;
        calls_[norm].op = OpCode::batch_norm_relu_pool;
        std::vector<Operand>& operands = calls_[norm].operands;
        output(norm, 0) = pooled;
        operands.insert(operands.begin() + calls_[norm].input_count + 1, index);
        removed_[relu] = removed_[*pool] = true;
        return true;
    }

    bool fuse_pool_backward(size_t norm, size_t relu, size_t pool) {
        const auto backward = find_relu_backward(norm, relu);
        if (!backward) return false;
        const Operand pooled = output(pool, 0), index = output(pool, 1);
        const auto spread = private_uses(input(backward->relu, 0), 1);
        if (!spread) return false;
        const size_t unpool = spread->writers[0];
        if (!is_two_by_two_pool(unpool, OpCode::max_pool2d_backward) || !same_view(input(unpool, 1), index) ||
            !same_view(output(unpool, 0), input(backward->relu, 0)) || !is_stable(input(unpool, 0)))
            return false;
        replace_gradient(backward->relu, backward->norm, {input(unpool, 0), pooled, index}, {},
                         OpCode::batch_norm_relu_pool_backward);
        removed_[unpool] = true;
        return true;
    }

    Program& program_;
    std::vector<Instruction>& calls_;
    std::vector<bool> removed_;
};

}  // namespace

void fuse_batch_norms(Program& program) { Fuser(program).run(); }

}  // namespace nativegrad
