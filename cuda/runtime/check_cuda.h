// Errors of the CUDA runtime as nativegrad::Error.
#pragma once

#include <cuda_runtime_api.h>

namespace nativegrad::cuda {

// Throws when status is not cudaSuccess; `call` is our own function's name. An error that stays is kept for
// sticky_error().
void check(cudaError_t status, const char* call);

inline cudaStream_t native(void* handle) { return static_cast<cudaStream_t>(handle); }

}  // namespace nativegrad::cuda
