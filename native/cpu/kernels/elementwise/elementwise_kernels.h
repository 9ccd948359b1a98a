// Contiguous elementwise kernels: n elements in, n elements out. In and out may be the same memory.
#pragma once

#include <cstdint>

#include "ops/functions.h"

namespace nativegrad::cpu {

template <class T>
struct ElementwiseKernels {
    using Unary = void (*)(const T* x, T* y, int64_t n, double p0, double p1);
    using Binary = void (*)(const T* a, const T* b, T* y, int64_t n, double p0, double p1);
    using Compare = void (*)(const T* a, const T* b, uint8_t* y, int64_t n);

    Unary unary[static_cast<int32_t>(UnaryFunction::count)];  // null where the function is not defined on T
    Binary binary[static_cast<int32_t>(BinaryFunction::count)];
    Compare compare[static_cast<int32_t>(CompareFunction::count)];
};

}  // namespace nativegrad::cpu
