// Where in the sources an instruction comes from, for error messages of the simulator.
#pragma once

#include <string>

namespace nativegrad::cuda::sim {

// "softmax.cu:41", or the library and an offset where addr2line or the line table is missing.
std::string code_position(const void* code);

}  // namespace nativegrad::cuda::sim
