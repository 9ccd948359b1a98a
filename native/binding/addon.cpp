#include <napi.h>

#include <new>

#include "backend/error.h"
#include "binding/environment.h"
#include "binding/program_thread.h"
#include "binding/read_thread.h"

namespace nativegrad {

Environment::Environment(napi_env env) : handles(env) {}
Environment::~Environment() = default;

// JavaScript's objects can be looked at on their own thread only.
bool Environment::make_room_for_op(void* owner, int32_t attempt) {
    Environment& environment = *static_cast<Environment*>(owner);
    return std::this_thread::get_id() == environment.thread && environment.handles.make_room_for_op(attempt);
}

Environment& environment_of(napi_env env) {
    void* data = nullptr;
    if (napi_get_instance_data(env, &data) != napi_ok || data == nullptr) {
        throw Error(Status::internal, "the addon's environment is gone");
    }
    return *static_cast<Environment*>(data);
}

void check_usable(const Environment& environment, const Storage& storage, bool writes) {
    if (is_recorded(storage)) {
        const Recorder* recorder = environment.active_recorder();
        if (recorder == nullptr || !recorder->owns(storage))
            fail(
                "the tensor was made while a step was captured and has no elements; return it from the step");
        return;
    }
    const auto is_owned = [&] { return writes ? storage.is_in_use() : storage.is_being_written(); };
    if (is_owned() && environment.program_thread != nullptr) environment.program_thread->wait();
    if (is_owned())
        fail("a captured program of another thread is running and %s this tensor; await the run first",
             storage.is_being_written() ? "writes" : "reads");
}

napi_value throw_into(napi_env env) noexcept {
    try {
        throw;
    } catch (const Error& error) {
        const char* code = error.status == Status::out_of_memory      ? "ERR_NATIVEGRAD_OUT_OF_MEMORY"
                           : error.status == Status::invalid_argument ? "ERR_NATIVEGRAD_INVALID_ARGUMENT"
                           : error.status == Status::device_lost      ? "ERR_NATIVEGRAD_DEVICE_LOST"
                                                                      : "ERR_NATIVEGRAD_INTERNAL";
        napi_throw_error(env, code, error.what());
    } catch (const std::bad_alloc&) {
        napi_throw_error(env, "ERR_NATIVEGRAD_OUT_OF_MEMORY", "out of memory");
    } catch (const std::exception& error) {
        napi_throw_error(env, "ERR_NATIVEGRAD_INTERNAL", error.what());
    } catch (...) {
        napi_throw_error(env, "ERR_NATIVEGRAD_INTERNAL", "unknown native exception");
    }
    return nullptr;
}

void define_function(napi_env env, napi_value exports, const char* name, napi_callback callback) {
    napi_value function;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
        napi_set_named_property(env, exports, name, function);
    }
}

}  // namespace nativegrad

NAPI_MODULE_INIT() {
    using namespace nativegrad;
    return guarded(env, [&]() -> napi_value {
        auto* environment = new Environment(env);
        const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
        if (napi_set_instance_data(env, environment, finalize, nullptr) != napi_ok) {
            delete environment;
            throw Error(Status::internal, "cannot attach the addon to this environment");
        }
        define_function(env, exports, "run", &run_function);
        define_tensor_functions(env, exports);
        define_system_functions(env, exports);
        define_program_functions(env, exports);
        define_replay_functions(env, exports);
        return exports;
    });
}
