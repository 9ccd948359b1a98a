// The border of the plugin: what is thrown inside becomes a status and a message.
#pragma once

#include <cstdio>
#include <cstring>

#include "backend/error.h"

namespace nativegrad::cuda {

inline int32_t report(ErrorMessage* error, Status status, const char* text) {
    std::snprintf(error->text, sizeof error->text, "%s", text);
    return static_cast<int32_t>(status);
}

// Runs the body; what it throws becomes a status, with `[op]` in front where the text names none. Of the
// runtime's errors, which begin with [cuda], the caller learns which op met them.
template <class Body>
int32_t guarded(ErrorMessage* error, const char* op, const Body& body) {
    try {
        body();
        return 0;
    } catch (const Error& caught) {
        const bool of_runtime = std::strncmp(caught.what(), "[cuda] ", 7) == 0;
        if (caught.what()[0] == '[' && !of_runtime) return report(error, caught.status, caught.what());
        char text[sizeof error->text];
        std::snprintf(text, sizeof text, "[%s] %s", op, caught.what() + (of_runtime ? 7 : 0));
        return report(error, caught.status, text);
    } catch (const std::exception& caught) {
        return report(error, Status::internal, caught.what());
    }
}

}  // namespace nativegrad::cuda
