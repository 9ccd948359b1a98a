#pragma once

#include <type_traits>

#include "cpu/kernel_table.h"

namespace nativegrad::cpu {

// The micro-kernel of the instruction set in use, for float or double.
template <class T>
const ConvMicroKernel<T>& conv_micro() {
    if constexpr (std::is_same_v<T, float>) {
        return kernels().conv.f32;
    } else {
        return kernels().conv.f64;
    }
}

}  // namespace nativegrad::cpu
