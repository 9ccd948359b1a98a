// The kernels of the instruction set in use. Filled with the scalar ones first, then overridden by better
// ones, so the table is never incomplete.
#pragma once

#include "cpu/features.h"
#include "cpu/kernels/conv/conv_bf16_kernels.h"
#include "cpu/kernels/conv/conv_kernels.h"
#include "cpu/kernels/convert/convert_kernels.h"
#include "cpu/kernels/elementwise/elementwise_kernels.h"
#include "cpu/kernels/gemm/gemm_kernels.h"
#include "cpu/kernels/norm/norm_kernels.h"
#include "cpu/kernels/optimizer/optimizer_kernels.h"
#include "cpu/kernels/peak/peak_kernels.h"
#include "cpu/kernels/pool/pool_kernels.h"
#include "cpu/kernels/reduce/reduce_kernels.h"
#include "cpu/kernels/softmax/softmax_kernels.h"

namespace nativegrad::cpu {

struct KernelTable {
    InstructionSet instruction_set;
    ElementwiseKernels<float> elementwise_f32;
    ElementwiseKernels<double> elementwise_f64;
    ElementwiseKernels<int64_t> elementwise_i64;
    ConvertKernels convert;
    ReduceKernels reduce;
    SoftmaxKernels softmax;
    GemmKernels<float> gemm_f32;
    GemmKernels<double> gemm_f64;
    GemmBf16Kernels gemm_bf16;
    ConvKernels conv;
    ConvBf16Kernels conv_bf16;
    NormKernels norm;
    PoolKernels pool;
    OptimizerKernels optimizer;
    PeakKernels peak;
};

const KernelTable& kernels();

// Chooses the kernels by hand. Throws Error where the processor lacks the set. Not while other threads
// compute.
void use_instruction_set(InstructionSet set);

void register_elementwise_wide(KernelTable& table);

// One registration function per family and instruction set, in kernels/<family>/<family>_<set>.cpp.
#define NATIVEGRAD_DECLARE_FAMILY(name)       \
    namespace scalar {                        \
    void register_##name(KernelTable& table); \
    }                                         \
    namespace avx2 {                          \
    void register_##name(KernelTable& table); \
    }                                         \
    namespace avx512 {                        \
    void register_##name(KernelTable& table); \
    }
#define FAMILY(name, has_avx2, has_avx512) NATIVEGRAD_DECLARE_FAMILY(name)
#include "cpu/kernel_families.def"
#undef FAMILY
#undef NATIVEGRAD_DECLARE_FAMILY

// What AVX-512 gains on processors with vdpbf16ps.
namespace avx512bf16 {
void register_gemm(KernelTable& table);
void register_conv(KernelTable& table);
}  // namespace avx512bf16

}  // namespace nativegrad::cpu
