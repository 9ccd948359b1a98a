#include "cpu/features.h"

namespace nativegrad::cpu {

InstructionSet best_instruction_set() {
#if defined(__x86_64__)
    // libgcc reads cpuid and XGETBV, so a set that the kernel does not save counts as absent.
    __builtin_cpu_init();
    const bool has_f16c = __builtin_cpu_supports("f16c");
    const bool has_avx2 = has_f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512vl");
    if (has_avx512) return InstructionSet::avx512;
    if (has_avx2) return InstructionSet::avx2;
#endif
    return InstructionSet::scalar;
}

bool has_avx512_bf16() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return best_instruction_set() == InstructionSet::avx512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

const char* instruction_set_name(InstructionSet set) {
    switch (set) {
        case InstructionSet::scalar:
            return "scalar";
        case InstructionSet::avx2:
            return "avx2";
        case InstructionSet::avx512:
            return "avx512";
    }
    return "unknown";
}

}  // namespace nativegrad::cpu
