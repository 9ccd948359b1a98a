#include "binding/replay.h"

#include <algorithm>
#include <map>

#include "binding/argument_reader.h"
#include "binding/arguments.h"
#include "cpu/thread_pool.h"

namespace nativegrad {

void Replay::run(const std::atomic<bool>* stop) noexcept {
    try {
        program->replay(steps, rows.data(), inputs, outputs, steps_done, stop);
    } catch (...) {
        failure = std::current_exception();
    }
}

void Replay::start(bool beside, const std::atomic<bool>* stop) noexcept {
    try {
        program->start(steps, rows.data(), inputs, outputs, beside, steps_done, stop);
    } catch (...) {
        failure = std::current_exception();
    }
}

void Replay::start_alone() noexcept {
    try {
        program->start_alone({steps, rows.data(), inputs, outputs, true}, steps_done);
    } catch (...) {
        failure = std::current_exception();
    }
}

void Replay::finish() noexcept {
    try {
        program->finish(steps, steps_done);
    } catch (...) {
        // What failed before says more.
        if (failure == nullptr) failure = std::current_exception();
    }
}

void Replay::begin_use() {
    program->begin_use();
    for (const ProgramInput& input : inputs) input.storage->begin_use(false);
    for (const ProgramOutput& output : outputs) output.storage->begin_use(true);
}

void Replay::end_use() {
    program->end_use();
    for (const ProgramInput& input : inputs) input.storage->end_use(false);
    for (const ProgramOutput& output : outputs) output.storage->end_use(true);
}

namespace {

bool same_layout(const TensorView& recorded, const TensorView& given, int32_t skip) {
    if (recorded.dtype != given.dtype || recorded.rank + skip != given.rank) return false;
    for (int32_t axis = 0; axis < recorded.rank; ++axis) {
        if (recorded.shape[axis] != given.shape[axis + skip]) return false;
        if (recorded.shape[axis] > 1 && recorded.strides[axis] != given.strides[axis + skip]) return false;
    }
    return true;
}

void read_inputs(Environment& environment, ArgumentReader& reader, bool stacked, Replay& replay) {
    const std::vector<TensorView>& recorded = replay.program->inputs;
    if (reader.integer() != static_cast<int64_t>(recorded.size()))
        fail("[capture] the program takes %zu inputs", recorded.size());
    for (size_t i = 0; i < recorded.size(); ++i) {
        const TensorSlot& slot = slot_of(environment, reader.integer());
        check_usable(environment, *slot.storage.get(), false);
        if (!same_layout(recorded[i], slot.view, stacked ? 1 : 0) ||
            (stacked && slot.view.shape[0] < replay.steps))
            fail("[capture] input %zu has another shape, dtype or layout than the captured one", i);
        const int64_t step_bytes =
            stacked ? slot.view.strides[0] * static_cast<int64_t>(item_size(slot.view.dtype)) : 0;
        replay.inputs.push_back({slot.view, slot.storage, step_bytes});
    }
}

void read_results(Environment& environment, ArgumentReader& reader, Replay& replay) {
    const std::vector<ProgramResult>& recorded = replay.program->results;
    if (reader.integer() != static_cast<int64_t>(recorded.size()))
        fail("[capture] the program has %zu results", recorded.size());
    for (const ProgramResult& result : recorded) {
        const TensorSlot& slot = slot_of(environment, reader.integer());
        check_usable(environment, *slot.storage.get(), true);
        const int64_t bytes = element_count(slot.view) * static_cast<int64_t>(item_size(slot.view.dtype));
        if (!is_row_major(slot.view) || slot.view.dtype != result.view.dtype ||
            bytes != replay.steps * result.bytes)
            fail("[capture] a tensor for the results does not fit");
        replay.outputs.push_back({static_cast<char*>(slot.view.data), slot.storage});
    }
}

void require_usable(const Environment& environment, const Program& program) {
    for (const Buffer& buffer : program.buffers) {
        if (buffer.place == Place::storage)
            check_usable(environment, *buffer.storage.get(), buffer.is_written);
    }
}

}  // namespace

Replays read_replays(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info, 4,
                              "replay takes programs, steps, rows and whether inputs are stacked");
    Environment& environment = environment_of(env);
    if (environment.active_recorder() != nullptr)
        fail("[capture] a program cannot run while a step is being captured");
    int64_t steps = 0;
    bool stacked = false;
    napi_get_value_int64(env, arguments.values[1], &steps);
    napi_get_value_bool(env, arguments.values[3], &stacked);
    if (steps < 1) fail("[capture] expected at least one step");
    const std::vector<double> rows = elements_of<double>(env, arguments.values[2], napi_float64_array);
    const double *row = rows.data(), *const end = row + rows.size();
    ArgumentReader reader(environment.block, environment.block_length);
    Replays replays;
    for (ProgramRef& program : programs_of(env, arguments.values[0])) {
        const int64_t values = steps * static_cast<int64_t>(program->changing_slots.size());
        if (values > end - row) fail("[capture] expected %zu values a step", program->changing_slots.size());
        require_usable(environment, *program);
        replays.push_back({std::move(program), steps, {row, row + values}, {}, {}, 0, nullptr});
        row += values;
        read_inputs(environment, reader, stacked, replays.back());
        read_results(environment, reader, replays.back());
    }
    if (row != end) fail("[capture] more values than the programs have slots");
    return replays;
}

std::vector<std::vector<size_t>> groups_apart(const std::vector<const Program*>& programs) {
    std::vector<std::vector<size_t>> groups;
    std::map<const Storage*, size_t> group_of;
    for (size_t i = 0; i < programs.size(); ++i) {
        size_t group = groups.size();
        if (programs[i]->arena_bytes > 0)
            group = group_of.emplace(programs[i]->arena.get(), group).first->second;
        if (group == groups.size()) groups.emplace_back();
        groups[group].push_back(i);
    }
    return groups;
}

namespace {

// Gives the steps of all as one graph. False where that is not to be; some may be done then.
bool start_joint(Replays& replays, const std::atomic<bool>* stop) {
    for (Replay& replay : replays) replay.start_alone();
    std::vector<Program::Part> parts;
    for (Replay& replay : replays) {
        if (replay.failure != nullptr) return false;
        parts.push_back({replay.program.get(),
                         {replay.steps, replay.rows.data(), replay.inputs, replay.outputs, true},
                         &replay.steps_done});
    }
    try {
        return Program::start_joint(parts, stop);
    } catch (...) {
        for (Replay& replay : replays) replay.failure = std::current_exception();
        return true;
    }
}

// One wait for all: what it finds is told of each.
void finish_joint(Replays& replays) {
    Replay& first = replays.front();
    first.finish();
    for (Replay& replay : replays) {
        if (replay.failure == nullptr) replay.failure = first.failure;
        replay.steps_done = std::min(replay.steps_done, first.steps_done);
    }
}

}  // namespace

void run_replays(Replays& replays, const std::atomic<bool>* stop) {
    const auto is_elsewhere = [](const Replay& replay) { return replay.program->device != 0; };
    std::vector<const Program*> programs;
    for (const Replay& replay : replays) programs.push_back(replay.program.get());
    const std::vector<std::vector<size_t>> groups = groups_apart(programs);
    if (replays.size() == 1) {
        replays.front().run(stop);
    } else if (std::any_of(replays.begin(), replays.end(), is_elsewhere)) {
        // A device's queue takes one call after the other; graphs of different memory are put together, or
        // run beside each other.
        const bool are_apart = groups.size() == replays.size();
        if (are_apart && start_joint(replays, stop)) {
            finish_joint(replays);
        } else {
            for (Replay& replay : replays) {
                if (replay.failure == nullptr) replay.start(are_apart, stop);
            }
            for (Replay& replay : replays) replay.finish();
        }
    } else {
        cpu::parallel_for(static_cast<int64_t>(groups.size()), [&](int64_t group) {
            for (const size_t i : groups[static_cast<size_t>(group)]) replays[i].run(stop);
        });
    }
    for (const Replay& replay : replays) {
        if (replay.failure != nullptr) replay.program->forget_led();
    }
    for (const Replay& replay : replays) {
        if (replay.failure != nullptr) std::rethrow_exception(replay.failure);
    }
}

void note_steps_done(napi_env env, napi_value error, const Replays& replays) {
    napi_value list, steps;
    if (napi_create_array_with_length(env, replays.size(), &list) != napi_ok) return;
    for (size_t i = 0; i < replays.size(); ++i) {
        if (napi_create_int64(env, replays[i].steps_done, &steps) != napi_ok ||
            napi_set_element(env, list, static_cast<uint32_t>(i), steps) != napi_ok)
            return;
    }
    const napi_property_descriptor property{"stepsDone", nullptr, nullptr,      nullptr,
                                            nullptr,     list,    napi_default, nullptr};
    napi_define_properties(env, error, 1, &property);
}

}  // namespace nativegrad
