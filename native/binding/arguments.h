// The arguments of one call from JavaScript.
#pragma once

#include <napi.h>

#include "backend/error.h"

namespace nativegrad {

struct Arguments {
    napi_value values[5];
    size_t count = 5;

    // Throws `usage` where fewer than `needed` came.
    Arguments(napi_env env, napi_callback_info info, size_t needed, const char* usage) {
        napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
        if (count < needed) fail("%s", usage);
    }
};

}  // namespace nativegrad
