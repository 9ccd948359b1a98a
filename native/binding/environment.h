// Everything of the addon that belongs to one environment (the main thread or a worker).
#pragma once

#include <napi.h>

#include "binding/handle_table.h"

namespace nativegrad {

struct Environment {
    explicit Environment(napi_env env) : handles(env) {}

    HandleTable handles;
    napi_ref block_reference = nullptr;  // keeps the argument block alive
    double* block = nullptr;
    size_t block_length = 0;
};

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

void define_function(napi_env env, napi_value exports, const char* name, napi_callback callback);

}  // namespace nativegrad
