// What the processor can do, and what the operating system saves for it.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

enum class InstructionSet : int32_t { scalar, avx2, avx512 };

InstructionSet best_instruction_set();
// Products of bfloat16, on top of InstructionSet::avx512.
bool has_avx512_bf16();
const char* instruction_set_name(InstructionSet set);

}  // namespace nativegrad::cpu
