// The words for what stands between a process and a GPU; the same from the real runtime and the simulated
// one.
#pragma once

#include <string>

#include "runtime/runtime.h"

namespace nativegrad::cuda {

// `detail`: what the dynamic linker said of libcuda.so.1, CUDA_VISIBLE_DEVICES, or for what code there is
// none.
std::string fault_text(const Probe& found, const std::string& detail);
// What to say where the driver finds no GPU and CUDA_VISIBLE_DEVICES is set to `visible`: whether that alone
// can be why.
Availability none_seen(const std::string& visible);
// Whether code for these architectures ("80,90,ptx"; empty: for all) runs on a device of that capability.
bool runs_on(const std::string& architectures, int capability);
// "this plugin is built for sm_90 and later, NVIDIA A100 (cuda:0) is sm_80"
std::string architecture_text(const std::string& architectures, int device, const std::string& name,
                              int capability);
// "13.0"
std::string version_text(int version);
// Throws for an index that is out of range.
void check_device_index(int device, int count);

}  // namespace nativegrad::cuda
