#include "program/program.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "program/program_graph.h"

namespace nativegrad {

char* Program::base_of(const Buffer& buffer, int64_t step, const std::vector<ProgramInput>& given) const {
    switch (buffer.place) {
        case Place::arena:
            return static_cast<char*>(arena->data()) + buffer.offset;
        case Place::storage:
            return static_cast<char*>(buffer.storage->data());
        case Place::input:
            break;
    }
    const ProgramInput& input = given[static_cast<size_t>(buffer.input)];
    return static_cast<char*>(input.view.data) + step * input.step_bytes;
}

void Program::bind() {
    calls_.reserve(instructions.size());
    for (Instruction& instruction : instructions) {
        // Ops without parameters get the address of something, too.
        if (instruction.params.empty()) instruction.params.resize(1);
        for (const SlotField& field : instruction.slots) {
            const ScalarSlot slot{&slots[static_cast<size_t>(field.slot)]};
            std::memcpy(instruction.params.data() + field.offset, &slot, sizeof slot);
        }
        calls_.push_back({instruction.op, {}, {}});
        Call& call = calls_.back();
        call.views.reserve(instruction.operands.size());
        for (size_t i = 0; i < instruction.operands.size(); ++i) {
            const Operand& operand = instruction.operands[i];
            call.views.push_back(operand.view);
            TensorView& view = call.views.back();
            if (operand.buffer < 0) {
                view.data = &instruction.numbers[i];
                continue;
            }
            const Buffer& buffer = buffers[static_cast<size_t>(operand.buffer)];
            if (buffer.place == Place::input)
                input_places_.push_back({&view, operand.buffer, operand.byte_offset});
        }
        const int32_t operands = static_cast<int32_t>(call.views.size());
        call.call = {1,
                     instruction.input_count,
                     operands - instruction.input_count,
                     call.views.data(),
                     call.views.data() + instruction.input_count,
                     instruction.params.data(),
                     arena->placement().where};
    }
    point_at_buffers();
}

void Program::point_at_buffers() {
    for (size_t call = 0; call < calls_.size(); ++call) {
        const std::vector<Operand>& operands = instructions[call].operands;
        for (size_t i = 0; i < operands.size(); ++i) {
            if (operands[i].buffer < 0) continue;
            const Buffer& buffer = buffers[static_cast<size_t>(operands[i].buffer)];
            if (buffer.place == Place::input) continue;
            calls_[call].views[i].data = base_of(buffer, 0, {}) + operands[i].byte_offset;
        }
    }
}

bool Program::share_arena(const Program& other) {
    if (other.arena_bytes < arena_bytes) return false;
    use_arena(other.arena);
    return true;
}

void Program::use_arena(StorageRef memory) {
    arena = std::move(memory);
    // It would still use the former one.
    graph_.reset();
    has_led_ = false;
    point_at_buffers();
}

std::string Program::execution() const {
    const std::lock_guard<std::mutex> lock(execution_mutex_);
    return execution_;
}

void Program::note_execution(const std::string& text) {
    const std::lock_guard<std::mutex> lock(execution_mutex_);
    execution_ = text;
}

void Program::begin_use() {
    for (const Buffer& buffer : buffers) {
        if (buffer.place == Place::storage) buffer.storage->begin_use(buffer.is_written);
    }
}

void Program::end_use() {
    for (const Buffer& buffer : buffers) {
        if (buffer.place == Place::storage) buffer.storage->end_use(buffer.is_written);
    }
}

}  // namespace nativegrad
