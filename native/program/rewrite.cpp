#include "program/rewrite.h"

namespace nativegrad {

Uses Rewrite::uses_of(int32_t buffer) const {
    Uses uses;
    for (size_t call = 0; call < calls.size(); ++call) {
        if (removed[call]) continue;
        const Instruction& instruction = calls[call];
        for (size_t i = 0; i < instruction.operands.size(); ++i) {
            if (instruction.operands[i].buffer != buffer) continue;
            const bool is_input = i < static_cast<size_t>(instruction.input_count);
            (is_input ? uses.readers : uses.writers).push_back(call);
        }
    }
    return uses;
}

bool Rewrite::is_temporary(const Operand& made) const {
    return is_in_arena(made) &&
           std::none_of(program.results.begin(), program.results.end(),
                        [&](const ProgramResult& result) { return result.buffer == made.buffer; });
}

std::optional<Uses> Rewrite::private_uses(const Operand& made, size_t readers) const {
    if (!is_temporary(made)) return std::nullopt;
    Uses uses = uses_of(made.buffer);
    if (uses.writers.size() != 1 || uses.readers.size() != readers) return std::nullopt;
    return uses;
}

bool Rewrite::is_stable(const Operand& read) const {
    return read.buffer >= 0 && program.buffers[static_cast<size_t>(read.buffer)].place != Place::storage &&
           uses_of(read.buffer).writers.size() <= 1;
}

bool Rewrite::is_unwritten(const Operand& operand, size_t first, size_t last) const {
    if (operand.buffer < 0) return true;
    const Uses uses = uses_of(operand.buffer);
    return std::none_of(uses.writers.begin(), uses.writers.end(),
                        [&](size_t call) { return first < call && call < last; });
}

bool Rewrite::is_untouched(const Operand& operand, size_t first, size_t last) const {
    if (operand.buffer < 0) return true;
    const Uses uses = uses_of(operand.buffer);
    const auto between = [&](size_t call) { return first < call && call < last; };
    return std::none_of(uses.writers.begin(), uses.writers.end(), between) &&
           std::none_of(uses.readers.begin(), uses.readers.end(), between);
}

void Rewrite::replace(size_t call, OpCode op, std::vector<Operand> inputs,
                      const std::vector<Operand>& outputs, const Instruction& model) {
    Instruction made{};
    made.op = op;
    made.input_count = static_cast<int32_t>(inputs.size());
    made.operands = std::move(inputs);
    made.operands.insert(made.operands.end(), outputs.begin(), outputs.end());
    made.params = model.params;
    made.slots = model.slots;
    made.numbers.resize(made.operands.size());
    made.reorders = calls[call].reorders || model.reorders;
    calls[call] = std::move(made);
}

void Rewrite::lead(size_t call) {
    leads[call] = true;
    for (size_t i = 0; i < output_count(call); ++i)
        program.buffers[static_cast<size_t>(output(call, i).buffer)].lasts = true;
}

void Rewrite::finish() {
    std::vector<Instruction> kept;
    for (const bool leading : {true, false}) {
        for (size_t call = 0; call < calls.size(); ++call) {
            if (!removed[call] && leads[call] == leading) kept.push_back(std::move(calls[call]));
        }
        if (leading) program.leading = kept.size();
    }
    calls = std::move(kept);
    removed.assign(calls.size(), false);
    leads.assign(calls.size(), false);
}

}  // namespace nativegrad
