// The words for what stands between a process and a GPU; the same from the real runtime and the simulated
// one.
#pragma once

#include <string>

#include "runtime/runtime.h"

namespace nativegrad::cuda {

// `load_error`: what the dynamic linker said of libcuda.so.1.
std::string fault_text(const Probe& found, const std::string& load_error);
// "13.0"
std::string version_text(int version);
// Throws for an index that is out of range.
void check_device_index(int device, int count);

}  // namespace nativegrad::cuda
