// Micro-kernels of the matrix product: C tile [rows <= mr, cols <= nr] (+)= A panel [k, mr] x B panel [k,
// nr]. Panels are packed: panel[p * mr + i] and panel[p * nr + j], padded with zeros.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

template <class T>
struct GemmMicroKernel {
    int64_t mr, nr;
    void (*run)(int64_t k, const T* a, const T* b, T* c, int64_t c_row_stride, int64_t rows, int64_t cols,
                bool accumulate);
};

struct GemmKernels {
    GemmMicroKernel<float> f32;
    GemmMicroKernel<double> f64;
};

}  // namespace nativegrad::cpu
