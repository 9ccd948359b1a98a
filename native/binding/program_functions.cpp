// Functions that make captured programs and tell about them.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "binding/argument_reader.h"
#include "binding/arguments.h"
#include "binding/program_access.h"
#include "program/planner.h"

namespace nativegrad {

namespace {

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

// More of them than the argument block has room for come in an array.
std::vector<Handle> handles_of(napi_env env, napi_value array) {
    const std::vector<double> values = elements_of<double>(env, array, napi_float64_array);
    ArgumentReader reader(values.data(), values.size());
    std::vector<Handle> handles;
    for (size_t i = 0; i < values.size(); ++i) handles.push_back(reader.integer());
    return handles;
}

// Gives the tensor memory of its own, in which each replay leaves its elements.
void persist(Environment& environment, Handle handle) {
    const StorageRef recorded = slot_of(environment, handle).storage;
    if (!is_recorded(*recorded.get())) return;
    StorageRef storage = environment.recorder->persist(*recorded.get(), [&](int64_t bytes) {
        return environment.allocate(slot_of(environment, handle).device, bytes);
    });
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

// captureEnd(results: Float64Array, kept: Float64Array, changingSlots: Int32Array, exact, fused): the handles
// of the results and of the tensors that live on. Returns the programs that are asked for, in an array: one
// with the calls as recorded, one with fused calls.
napi_value capture_end(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 5,
                                  "captureEnd takes results, tensors that live on, the changing slots and "
                                  "which programs to make");
        Environment& environment = environment_of(env);
        if (environment.recorder == nullptr) fail("[capture] no step is being captured");
        for (const Handle handle : handles_of(env, arguments.values[0])) add_result(environment, handle);
        for (const Handle handle : handles_of(env, arguments.values[1])) persist(environment, handle);
        std::vector<int32_t> changing = elements_of<int32_t>(env, arguments.values[2], napi_int32_array);
        napi_value list;
        if (napi_create_array(env, &list) != napi_ok) throw Error(Status::internal, "[capture] no array");
        uint32_t made = 0;
        for (const bool fused : {false, true}) {
            bool wanted = false;
            napi_get_value_bool(env, arguments.values[fused ? 4 : 3], &wanted);
            if (!wanted) continue;
            const int32_t device = environment.recorder->device();
            ProgramRef program = environment.recorder->finish(
                changing, fused, [&](int64_t bytes) { return environment.allocate(device, bytes); });
            napi_set_element(env, list, made++, wrap(env, std::move(program)));
        }
        environment.recorder.reset();
        return list;
    });
}

std::string shape_text(const TensorView& view) {
    if (view.is_host_scalar) return "number";
    std::string text = "[";
    for (int32_t axis = 0; axis < view.rank; ++axis)
        text += (axis > 0 ? ", " : "") + std::to_string(view.shape[axis]);
    return text + "]";
}

// What an operand is in memory, each element once.
double bytes_of(const TensorView& view) {
    if (view.is_host_scalar) return 0;
    double bytes = static_cast<double>(item_size(view.dtype));
    for (int32_t axis = 0; axis < view.rank; ++axis)
        if (view.strides[axis] != 0) bytes *= static_cast<double>(view.shape[axis]);
    return bytes;
}

// What a call has to move at least. Of what it picks from, that is no more than what it picks.
double bytes_of(const Instruction& instruction) {
    double bytes = 0;
    for (const Operand& operand : instruction.operands) bytes += bytes_of(operand.view);
    const bool picks = instruction.op == OpCode::index_select || instruction.op == OpCode::gather ||
                       instruction.op == OpCode::batch_gather;
    if (!picks) return bytes;
    const TensorView& source = instruction.operands.front().view;
    TensorView picked = instruction.operands.back().view;
    picked.dtype = source.dtype;
    return bytes - bytes_of(source) + std::min(bytes_of(source), bytes_of(picked));
}

// programCalls(program): the op, the shapes, the bytes of all operands, whether it is made before a run only,
// and the nanoseconds of each call
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
            entry.Set("bytes", bytes_of(instruction));
            entry.Set("once", i < program.leading);
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

// programExecution(program): "graph", or why its calls run one by one
napi_value program_execution(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 1, "programExecution takes a program");
        return Napi::String::New(env, program_of(env, arguments.values[0])->execution());
    });
}

// programReordered(program, tensors: Float64Array): for each result of the program and then for each of the
// tensors, whose handles are given, whether fused calls add up in another order on the way to it
napi_value program_reordered(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        const Arguments arguments(env, info, 2, "programReordered takes a program and tensors");
        const Program& program = *program_of(env, arguments.values[0]);
        Environment& environment = environment_of(env);
        std::unordered_set<const Storage*> marked;
        for (const Buffer& buffer : program.buffers)
            if (buffer.is_reordered) marked.insert(buffer.storage.get());
        Napi::Array list = Napi::Array::New(env);
        for (const ProgramResult& result : program.results)
            list.Set(list.Length(), program.buffers[static_cast<size_t>(result.buffer)].is_reordered);
        for (const Handle handle : handles_of(env, arguments.values[1]))
            list.Set(list.Length(), marked.count(slot_of(environment, handle).storage.get()) > 0);
        return list;
    });
}

}  // namespace

void define_program_functions(napi_env env, napi_value exports) {
    define_function(env, exports, "captureBegin", &capture_begin);
    define_function(env, exports, "capturePause", &capture_pause);
    define_function(env, exports, "captureAbort", &capture_abort);
    define_function(env, exports, "captureEnd", &capture_end);
    define_function(env, exports, "programCalls", &program_calls);
    define_function(env, exports, "programStats", &program_stats);
    define_function(env, exports, "programExecution", &program_execution);
    define_function(env, exports, "programReordered", &program_reordered);
}

}  // namespace nativegrad
