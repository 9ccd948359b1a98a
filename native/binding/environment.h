// Everything of the addon that belongs to one environment (the main thread or a worker).
#pragma once

#include <napi.h>

#include <memory>
#include <thread>
#include <vector>

#include "binding/handle_table.h"
#include "binding/queues.h"
#include "program/recorder.h"

namespace nativegrad {

class ProgramThread;
class ReadThread;

struct Environment {
    explicit Environment(napi_env env);
    ~Environment();

    const std::thread::id thread = std::this_thread::get_id();
    Queues queues{&make_room_for_op, this};  // outlives the tensors
    HandleTable handles;
    napi_ref block_reference = nullptr;  // keeps the argument block alive
    double* block = nullptr;
    size_t block_length = 0;

    // Of the step that is being captured, or null. A pause runs calls at once in the middle of it.
    std::unique_ptr<Recorder> recorder;
    bool is_paused = false;

    std::unique_ptr<ProgramThread> program_thread;  // from the first replay in the background on
    std::unique_ptr<ReadThread> read_thread;        // from the first read that does not wait on

    StorageRef allocate(int32_t device, int64_t bytes) { return handles.allocate(queues.on(device), bytes); }

    static bool make_room_for_op(void* environment, int32_t attempt);

    Recorder* active_recorder() const { return is_paused ? nullptr : recorder.get(); }
};

// Waits where a program of this environment uses the storage on another thread. Throws when its elements
// cannot be used: it was made while a step was captured, or another environment's program owns it.
void check_usable(const Environment& environment, const Storage& storage, bool writes);

Environment& environment_of(napi_env env);

// Turns the exception in flight into a pending JavaScript error with a `code`.
napi_value throw_into(napi_env env) noexcept;

// Runs the body of a binding function; returns its value, or null with a JavaScript error pending.
template <class Body>
napi_value guarded(napi_env env, const Body& body) noexcept {
    try {
        return body();
    } catch (...) {
        return throw_into(env);
    }
}

// Functions of the addon, one file a group.
napi_value run_function(napi_env env, napi_callback_info info);
void define_tensor_functions(napi_env env, napi_value exports);
void define_system_functions(napi_env env, napi_value exports);
void define_program_functions(napi_env env, napi_value exports);
void define_replay_functions(napi_env env, napi_value exports);

void define_function(napi_env env, napi_value exports, const char* name, napi_callback callback);

}  // namespace nativegrad
