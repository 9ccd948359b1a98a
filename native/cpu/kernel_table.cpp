#include "cpu/kernel_table.h"

#include "backend/error.h"

namespace nativegrad::cpu {

namespace {

#define FAMILY(name, has_avx2, has_avx512) constexpr bool name##_avx2 = has_avx2, name##_avx512 = has_avx512;
#include "cpu/kernel_families.def"
#undef FAMILY

KernelTable build_table(InstructionSet set) {
    KernelTable table{};
    table.instruction_set = set;
    register_elementwise_wide(table);
#define FAMILY(name, has_avx2, has_avx512) scalar::register_##name(table);
#include "cpu/kernel_families.def"
#undef FAMILY
#if defined(__x86_64__)
    if (set >= InstructionSet::avx2) {
#define FAMILY(name, has_avx2, has_avx512) \
    if constexpr (name##_avx2) avx2::register_##name(table);
#include "cpu/kernel_families.def"
#undef FAMILY
    }
    if (set >= InstructionSet::avx512) {
#define FAMILY(name, has_avx2, has_avx512) \
    if constexpr (name##_avx512) avx512::register_##name(table);
#include "cpu/kernel_families.def"
#undef FAMILY
        if (has_avx512_bf16()) {
            avx512bf16::register_gemm(table);
            avx512bf16::register_conv(table);
        }
    }
#endif
    return table;
}

KernelTable& active_table() {
    static KernelTable table = build_table(best_instruction_set());
    return table;
}

}  // namespace

const KernelTable& kernels() { return active_table(); }

void use_instruction_set(InstructionSet set) {
    if (set > best_instruction_set()) {
        fail("this processor has no %s; the best it has is %s", instruction_set_name(set),
             instruction_set_name(best_instruction_set()));
    }
    active_table() = build_table(set);
}

}  // namespace nativegrad::cpu
