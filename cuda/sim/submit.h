// Work of libraries that run on streams (cuBLASLt): at once, or recorded where the stream is captured.
#pragma once

#include <functional>
#include <string>

#include "runtime/runtime.h"

namespace nativegrad::cuda::sim {

void submit_work(const char* call, Stream stream, std::string name, std::function<void()> work);

}  // namespace nativegrad::cuda::sim
