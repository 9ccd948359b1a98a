#pragma once

namespace nativegrad::cpu {

// Measured peak of float32 multiply-adds held in registers, in GFLOP/s, over all threads of the pool.
double measure_peak(double seconds);

}  // namespace nativegrad::cpu
