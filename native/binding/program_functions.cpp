// Functions on captured programs: recording, finishing, replay at once or on a thread of its own.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>

#include "binding/argument_reader.h"
#include "binding/arguments.h"
#include "binding/environment.h"
#include "program/planner.h"

namespace nativegrad {

namespace {

using ProgramRef = std::shared_ptr<Program>;
using ProgramHolder = std::shared_ptr<ProgramRef>;

TensorSlot& slot_of(Environment& environment, Handle handle) {
    TensorSlot* slot = environment.handles.find(handle);
    if (slot == nullptr) fail("[capture] a tensor was used after it was disposed");
    return *slot;
}

// The elements of a typed array of the given type, valid until JavaScript runs again.
template <class Element>
std::vector<Element> elements_of(napi_env env, napi_value value, napi_typedarray_type expected) {
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
        type != expected)
        fail("[capture] expected a typed array");
    const Element* begin = static_cast<const Element*>(data);
    return std::vector<Element>(begin, begin + length);
}

napi_value undefined() { return nullptr; }

// captureBegin(...stand-ins): block holds the number of inputs and their handles. The step is to use the
// stand-ins in their place; on return the block holds their handles.
napi_value capture_begin(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        Environment& environment = environment_of(env);
        if (environment.recorder != nullptr) fail("[capture] a step is being captured already");
        ArgumentReader reader(environment.block, environment.block_length);
        size_t count = static_cast<size_t>(reader.integer(0, 1024, "input count"));
        std::vector<napi_value> objects(count);
        size_t given = count;
        napi_get_cb_info(env, info, &given, objects.data(), nullptr, nullptr);
        if (given != count) fail("[capture] needs one stand-in per input");
        auto recorder = std::make_unique<Recorder>();
        std::vector<Handle> handles;
        for (const napi_value object : objects) {
            const TensorSlot slot = slot_of(environment, reader.integer());
            check_usable(environment, *slot.storage.get(), false);
            TensorView view;
            StorageRef storage = recorder->add_input(slot.view, view);
            handles.push_back(environment.handles.insert(object, std::move(storage), view, slot.device));
        }
        std::copy(handles.begin(), handles.end(), environment.block);
        environment.recorder = std::move(recorder);
        environment.is_paused = false;
        return undefined();
    });
}

// capturePause(paused): calls in a pause are executed, not recorded
napi_value capture_pause(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "capturePause takes a boolean");
        napi_get_value_bool(env, arguments.values[0], &environment_of(env).is_paused);
        return undefined();
    });
}

// captureAbort(): forgets what was recorded
napi_value capture_abort(napi_env env, napi_callback_info) {
    return guarded(env, [&]() -> napi_value {
        environment_of(env).recorder.reset();
        return undefined();
    });
}

// Gives the tensor memory of its own, in which each replay leaves its elements.
void persist(Environment& environment, Handle handle) {
    const StorageRef recorded = slot_of(environment, handle).storage;
    if (!is_recorded(*recorded.get())) return;
    StorageRef storage = environment.recorder->persist(
        *recorded.get(), [&](int64_t bytes) { return environment.handles.allocate(0, bytes); });
    TensorSlot& slot = slot_of(environment, handle);
    const int64_t offset = static_cast<char*>(slot.view.data) - static_cast<char*>(recorded->data());
    slot.view.data = static_cast<char*>(storage->data()) + offset;
    environment.handles.replace_storage(slot, std::move(storage));
}

void add_result(Environment& environment, Handle handle) {
    const TensorSlot& slot = slot_of(environment, handle);
    environment.recorder->add_result(slot.view, slot.storage);
}

// The program goes with its object: by the finalizer, or by a sweep of the handle table where Node has not
// come to run it.
napi_value wrap(napi_env env, ProgramRef program) {
    const int64_t bytes = program->arena_bytes;
    auto* held = new ProgramHolder(std::make_shared<ProgramRef>(std::move(program)));
    const auto finalize = [](napi_env, void* data, void*) {
        const std::unique_ptr<ProgramHolder> holder(static_cast<ProgramHolder*>(data));
        (*holder)->reset();
    };
    napi_value result;
    if (napi_create_external(env, held, finalize, nullptr, &result) != napi_ok) {
        delete held;
        throw Error(Status::internal, "[capture] cannot hand the program to JavaScript");
    }
    const ProgramHolder holder = *held;
    environment_of(env).handles.insert_owner(result, bytes, [holder] { holder->reset(); });
    return result;
}

const ProgramRef& program_of(napi_env env, napi_value value) {
    void* data = nullptr;
    if (napi_get_value_external(env, value, &data) != napi_ok || data == nullptr)
        fail("[capture] expected a program");
    const ProgramRef& program = **static_cast<ProgramHolder*>(data);
    if (program == nullptr) fail("[capture] the program is gone");
    return program;
}

// captureEnd(changingSlots: Int32Array, exact, fused): block holds the number of results and their handles,
// then the number of tensors that live on and their handles. Returns the programs that are asked for, in an
// array: one with the calls as recorded, one with fused calls.
napi_value capture_end(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 3,
                                  "captureEnd takes the changing slots and which programs to make");
        Environment& environment = environment_of(env);
        if (environment.recorder == nullptr) fail("[capture] no step is being captured");
        std::vector<int32_t> changing = elements_of<int32_t>(env, arguments.values[0], napi_int32_array);
        ArgumentReader reader(environment.block, environment.block_length);
        const int64_t limit = static_cast<int64_t>(environment.block_length);
        const int64_t results = reader.integer(0, limit, "result count");
        for (int64_t i = 0; i < results; ++i) add_result(environment, reader.integer());
        const int64_t kept = reader.integer(0, limit, "count of tensors that live on");
        for (int64_t i = 0; i < kept; ++i) persist(environment, reader.integer());
        napi_value list;
        if (napi_create_array(env, &list) != napi_ok) throw Error(Status::internal, "[capture] no array");
        uint32_t made = 0;
        for (const bool fused : {false, true}) {
            bool wanted = false;
            napi_get_value_bool(env, arguments.values[fused ? 2 : 1], &wanted);
            if (!wanted) continue;
            ProgramRef program = environment.recorder->finish(
                changing, fused, [&](int64_t bytes) { return environment.handles.allocate(0, bytes); });
            napi_set_element(env, list, made++, wrap(env, std::move(program)));
        }
        environment.recorder.reset();
        return list;
    });
}

bool same_layout(const TensorView& recorded, const TensorView& given, int32_t skip) {
    if (recorded.dtype != given.dtype || recorded.rank + skip != given.rank) return false;
    for (int32_t axis = 0; axis < recorded.rank; ++axis) {
        if (recorded.shape[axis] != given.shape[axis + skip]) return false;
        if (recorded.shape[axis] > 1 && recorded.strides[axis] != given.strides[axis + skip]) return false;
    }
    return true;
}

struct Replay {
    ProgramRef program;
    int64_t steps;
    std::vector<double> rows;
    std::vector<ProgramInput> inputs;
    std::vector<ProgramOutput> outputs;

    void run() { program->replay(steps, rows.data(), inputs, outputs); }
    void begin_use() {
        program->begin_use();
        for (const ProgramInput& input : inputs) input.storage->begin_use(false);
        for (const ProgramOutput& output : outputs) output.storage->begin_use(true);
    }
    void end_use() {
        program->end_use();
        for (const ProgramInput& input : inputs) input.storage->end_use(false);
        for (const ProgramOutput& output : outputs) output.storage->end_use(true);
    }
};

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

// Arguments (program, steps, rows, stacked); block holds the number of inputs and their handles, then the
// number of tensors for the results and theirs. Stacked inputs have one more axis in front, an entry a step.
// Refuses tensors that are in use.
Replay read_replay(napi_env env, napi_callback_info info) {
    const Arguments arguments(env, info, 4,
                              "replay takes program, steps, rows and whether inputs are stacked");
    Environment& environment = environment_of(env);
    if (environment.active_recorder() != nullptr)
        fail("[capture] a program cannot run while a step is being captured");
    Replay replay{program_of(env, arguments.values[0]), 0, {}, {}, {}};
    bool stacked = false;
    napi_get_value_int64(env, arguments.values[1], &replay.steps);
    napi_get_value_bool(env, arguments.values[3], &stacked);
    replay.rows = elements_of<double>(env, arguments.values[2], napi_float64_array);
    const Program& program = *replay.program;
    if (replay.steps < 1 ||
        replay.rows.size() != static_cast<size_t>(replay.steps) * program.changing_slots.size())
        fail("[capture] expected %zu values a step", program.changing_slots.size());
    ArgumentReader reader(environment.block, environment.block_length);
    read_inputs(environment, reader, stacked, replay);
    read_results(environment, reader, replay);
    for (const Buffer& buffer : program.buffers) {
        if (buffer.place == Place::storage)
            check_usable(environment, *buffer.storage.get(), buffer.is_written);
    }
    return replay;
}

// checkReplay(program, steps, rows, stacked): throws what replay would throw before its first step
napi_value check_replay(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        read_replay(env, info);
        return undefined();
    });
}

// replay(program, steps, rows, stacked): runs at once
napi_value replay_now(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        read_replay(env, info).run();
        return undefined();
    });
}

}  // namespace

// A replay on a thread of Node's pool. The environment waits for it at its end.
struct Job {
    Replay replay;
    std::shared_ptr<std::vector<Job*>> jobs;  // the list of the environment
    napi_async_work work = nullptr;
    napi_deferred deferred = nullptr;
    Status status = Status::ok;
    std::string message;
    std::mutex mutex;
    std::condition_variable ended;
    bool has_ended = false;

    void begin_use() {
        replay.begin_use();
        jobs->push_back(this);
    }
    void end_use() {
        const auto place = std::find(jobs->begin(), jobs->end(), this);
        if (place == jobs->end()) return;
        jobs->erase(place);
        replay.end_use();
    }
    void set_ended() {
        const std::lock_guard<std::mutex> lock(mutex);
        has_ended = true;
        ended.notify_all();
    }
    void wait() {
        std::unique_lock<std::mutex> lock(mutex);
        ended.wait(lock, [&] { return has_ended; });
    }
};

void wait_for_jobs(const Environment& environment) {
    while (!environment.jobs->empty()) {
        Job& job = *environment.jobs->back();
        job.wait();
        job.end_use();
    }
}

namespace {

void run_job(napi_env, void* data) {
    Job& job = *static_cast<Job*>(data);
    try {
        job.replay.run();
    } catch (const Error& error) {
        job.status = error.status;
        job.message = error.what();
    } catch (const std::exception& error) {
        job.status = Status::internal;
        job.message = error.what();
    }
    job.set_ended();
}

void finish_job(napi_env env, napi_status, void* data) {
    const std::unique_ptr<Job> job(static_cast<Job*>(data));
    job->end_use();
    napi_delete_async_work(env, job->work);
    napi_value result = nullptr;
    if (job->status == Status::ok) {
        if (napi_get_undefined(env, &result) == napi_ok) napi_resolve_deferred(env, job->deferred, result);
        return;
    }
    guarded(env, [&]() -> napi_value { throw Error(job->status, job->message); });
    if (napi_get_and_clear_last_exception(env, &result) == napi_ok)
        napi_reject_deferred(env, job->deferred, result);
}

// replayAsync(program, steps, rows, stacked): as replay, on another thread; returns a promise
napi_value replay_async(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        auto job = std::make_unique<Job>();
        job->replay = read_replay(env, info);
        job->jobs = environment_of(env).jobs;
        napi_value promise, name;
        const bool made =
            napi_create_promise(env, &job->deferred, &promise) == napi_ok &&
            napi_create_string_utf8(env, "nativegrad.replay", NAPI_AUTO_LENGTH, &name) == napi_ok &&
            napi_create_async_work(env, nullptr, name, &run_job, &finish_job, job.get(), &job->work) ==
                napi_ok &&
            napi_queue_async_work(env, job->work) == napi_ok;
        if (!made) throw Error(Status::internal, "[capture] cannot start the program's thread");
        job->begin_use();
        job.release();
        return promise;
    });
}

// setTimed(program, timed): whether replays add up what each call takes
napi_value set_timed(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2, "setTimed takes a program and a boolean");
        bool timed = false;
        napi_get_value_bool(env, arguments.values[1], &timed);
        program_of(env, arguments.values[0])->set_timed(timed);
        return undefined();
    });
}

std::string shape_text(const TensorView& view) {
    if (view.is_host_scalar) return "number";
    std::string text = "[";
    for (int32_t axis = 0; axis < view.rank; ++axis)
        text += (axis > 0 ? ", " : "") + std::to_string(view.shape[axis]);
    return text + "]";
}

// programCalls(program): the op, the shapes and the nanoseconds of each call
napi_value program_calls(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Napi::CallbackInfo arguments(env, info);
        const Program& program = *program_of(env, arguments[0]);
        Napi::Array list = Napi::Array::New(env, program.instructions.size());
        for (size_t i = 0; i < program.instructions.size(); ++i) {
            const Instruction& instruction = program.instructions[i];
            std::string shapes;
            for (size_t k = 0; k < instruction.operands.size(); ++k) {
                const bool is_first_output = k == static_cast<size_t>(instruction.input_count);
                shapes += (is_first_output ? " -> "
                           : k > 0         ? ", "
                                           : "") +
                          shape_text(instruction.operands[k].view);
            }
            Napi::Object entry = Napi::Object::New(env);
            entry.Set("op", op_name(instruction.op));
            entry.Set("shapes", shapes);
            entry.Set("nanoseconds",
                      program.nanoseconds.empty() ? 0.0 : static_cast<double>(program.nanoseconds[i]));
            list.Set(static_cast<uint32_t>(i), entry);
        }
        return list;
    });
}

// programStats(program): block gets the number of calls, buffers and slots, arena bytes and the least they
// could be
napi_value program_stats(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "programStats takes a program");
        const Program& program = *program_of(env, arguments.values[0]);
        double* block = environment_of(env).block;
        *block++ = static_cast<double>(program.instructions.size());
        *block++ = static_cast<double>(program.buffers.size());
        *block++ = static_cast<double>(program.slots.size());
        *block++ = static_cast<double>(program.arena_bytes);
        *block++ = static_cast<double>(least_arena_bytes(program));
        return undefined();
    });
}

}  // namespace

void define_program_functions(napi_env env, napi_value exports) {
    define_function(env, exports, "captureBegin", &capture_begin);
    define_function(env, exports, "capturePause", &capture_pause);
    define_function(env, exports, "captureAbort", &capture_abort);
    define_function(env, exports, "captureEnd", &capture_end);
    define_function(env, exports, "checkReplay", &check_replay);
    define_function(env, exports, "replay", &replay_now);
    define_function(env, exports, "replayAsync", &replay_async);
    define_function(env, exports, "setTimed", &set_timed);
    define_function(env, exports, "programCalls", &program_calls);
    define_function(env, exports, "programStats", &program_stats);
}

}  // namespace nativegrad
