#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct PeakKernels {
    // Runs `rounds` rounds of independent multiply-adds held in registers; returns the floating-point
    // operations done. `sink` keeps the result alive.
    double (*multiply_add)(int64_t rounds, float* sink);
};

}  // namespace nativegrad::cpu
