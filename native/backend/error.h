// The one exception that native code throws on purpose. The binding turns it into a JavaScript error with
// `code`.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "backend/backend.h"

namespace nativegrad {

class Error : public std::runtime_error {
  public:
    Error(Status status, const std::string& message) : std::runtime_error(message), status(status) {}
    Status status;
};

[[noreturn, gnu::format(printf, 1, 2)]] inline void fail(const char* format, ...) {
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Error(Status::invalid_argument, text);
}

}  // namespace nativegrad
