// What rules that rewrite the calls of a program share: who uses which buffer, taking calls out, putting
// calls in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

#include "ops/functions.h"
#include "program/program.h"

namespace nativegrad {

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

inline bool same_layout(const Operand& a, const Operand& b) {
    return a.view.dtype == b.view.dtype && a.view.rank == b.view.rank &&
           std::equal(a.view.shape, a.view.shape + a.view.rank, b.view.shape) &&
           std::equal(a.view.strides, a.view.strides + a.view.rank, b.view.strides);
}

inline bool same_place(const Operand& a, const Operand& b) {
    return a.buffer == b.buffer && a.byte_offset == b.byte_offset && a.view.dtype == b.view.dtype;
}

inline bool same_view(const Operand& a, const Operand& b) { return same_place(a, b) && same_layout(a, b); }

// The same elements in the same order, in whatever shape: both lie without gaps.
inline bool same_elements(const Operand& a, const Operand& b) {
    return same_place(a, b) && is_row_major(a.view) && is_row_major(b.view) &&
           element_count(a.view) == element_count(b.view);
}

inline bool is_relu(const Instruction& call) {
    return call.op == OpCode::unary &&
           params_of<UnaryParams>(call).function == static_cast<int32_t>(UnaryFunction::relu);
}

// Of two tensors: the gradient, and relu's result.
inline bool is_relu_backward(const Instruction& call) {
    return call.op == OpCode::binary && call.operands[0].buffer >= 0 && call.operands[1].buffer >= 0 &&
           params_of<BinaryParams>(call).function == static_cast<int32_t>(BinaryFunction::relu_backward);
}

// All operands are tensors of one float dtype.
inline bool has_one_float(const Instruction& call) {
    if (call.operands.empty()) return false;
    const DType dtype = call.operands.back().view.dtype;
    return is_float(dtype) && std::all_of(call.operands.begin(), call.operands.end(), [&](const Operand& x) {
               return x.buffer >= 0 && x.view.dtype == dtype;
           });
}

class Rewrite {
  public:
    explicit Rewrite(Program& program)
        : program(program),
          calls(program.instructions),
          removed(calls.size(), false),
          leads(calls.size(), false) {}

    Program& program;
    std::vector<Instruction>& calls;
    std::vector<bool> removed;
    std::vector<bool> leads;  // to be made before a run

    Operand& input(size_t call, size_t i) { return calls[call].operands[i]; }
    Operand& output(size_t call, size_t i) {
        return calls[call].operands[static_cast<size_t>(calls[call].input_count) + i];
    }
    size_t output_count(size_t call) const {
        return calls[call].operands.size() - static_cast<size_t>(calls[call].input_count);
    }

    Uses uses_of(int32_t buffer) const;

    bool is_in_arena(const Operand& made) const {
        return made.buffer >= 0 && program.buffers[static_cast<size_t>(made.buffer)].place == Place::arena;
    }

    // In the arena, and no result.
    bool is_temporary(const Operand& made) const;

    // A temporary that one call writes and `readers` calls read, and that nobody sees afterwards.
    std::optional<Uses> private_uses(const Operand& made, size_t readers) const;

    bool is_written_once(const Operand& made) const { return uses_of(made.buffer).writers.size() == 1; }

    // Holds the same elements at any later call.
    bool is_stable(const Operand& read) const;

    // No call in (first, last) writes to the buffer, or touches it at all.
    bool is_unwritten(const Operand& operand, size_t first, size_t last) const;
    bool is_untouched(const Operand& operand, size_t first, size_t last) const;

    // The only call, of those that read `made`, for which `fits` holds; none where there are several.
    template <class Fits>
    static std::optional<size_t> only(const std::vector<size_t>& readers, const Fits& fits) {
        std::optional<size_t> found;
        for (const size_t call : readers) {
            if (!fits(call)) continue;
            if (found) return std::nullopt;
            found = call;
        }
        return found;
    }

    // Puts another call in the place of this one. Parameters and slots are those of `model`.
    void replace(size_t call, OpCode op, std::vector<Operand> inputs, const std::vector<Operand>& outputs,
                 const Instruction& model);

    // Has a call made before a run; what it makes lasts.
    void lead(size_t call);

    // Takes the removed calls out and those that lead to the front; numbers of calls change.
    void finish();
};

}  // namespace nativegrad
