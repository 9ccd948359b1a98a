#include "program/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "backend/error.h"

namespace nativegrad {

namespace {

using Clock = std::chrono::steady_clock;

int64_t nanoseconds_since(Clock::time_point begin) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
}

}  // namespace

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
    point_at_buffers();
}

void Program::replay(int64_t steps, const double* rows, const std::vector<ProgramInput>& given,
                     const std::vector<ProgramOutput>& wanted, int64_t& done, const std::atomic<bool>* stop) {
    const auto& [backend, where] = arena->placement();
    const auto wait = [backend = backend, where = where] {
        ErrorMessage error{};
        require_ok(backend->synchronize(where, &error), error);
    };
    done = 0;
    for (int64_t step = 0; step < steps; ++step, ++done) {
        if (stop != nullptr && stop->load(std::memory_order_relaxed)) return;
        for (size_t i = 0; i < changing_slots.size(); ++i)
            slots[static_cast<size_t>(changing_slots[i])] = *rows++;
        for (const InputPlace& place : input_places_) {
            const Buffer& buffer = buffers[static_cast<size_t>(place.buffer)];
            place.view->data = base_of(buffer, step, given) + place.byte_offset;
        }
        for (size_t i = 0; i < calls_.size(); ++i) {
            const auto begin = nanoseconds.empty() ? Clock::time_point{} : Clock::now();
            try {
                run_op(*backend, calls_[i].op, calls_[i].call);
                // A queue takes calls faster than it does them.
                if (!nanoseconds.empty()) wait();
            } catch (const Error& error) {
                if (error.status == Status::device_lost) done = 0;
                char text[1100];
                std::snprintf(text, sizeof text, "%s (in step %lld of %lld of a captured program)",
                              error.what(), static_cast<long long>(step + 1), static_cast<long long>(steps));
                throw Error(error.status, text);
            }
            if (!nanoseconds.empty()) nanoseconds[i] += nanoseconds_since(begin);
        }
        for (size_t i = 0; i < results.size(); ++i) {
            const ProgramResult& result = results[i];
            if (result.bytes == 0) continue;
            const Buffer& buffer = buffers[static_cast<size_t>(result.buffer)];
            ErrorMessage error{};
            require_ok(backend->copy(where, wanted[i].data + step * result.bytes,
                                     base_of(buffer, step, given) + result.byte_offset,
                                     static_cast<size_t>(result.bytes), &error),
                       error);
        }
    }
    // Errors of a device come up here, and the caller may count on what it reads. After a wrong value all the
    // steps were done, with a harmless one in its place; of a device that is lost, nothing is known.
    try {
        wait();
    } catch (const Error& error) {
        if (error.status == Status::device_lost) done = 0;
        throw Error(error.status, std::string(error.what()) + " (in one of " + std::to_string(steps) +
                                      " steps of a captured program)");
    }
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
