// The functions of libcublasLt that are used, found at run time.
#pragma once

#include <cublasLt.h>

#include "gemm/cublaslt.h"

namespace nativegrad::cuda {

#define NATIVEGRAD_CUBLASLT_FUNCTIONS(X)    \
    X(cublasLtCreate)                       \
    X(cublasLtMatmul)                       \
    X(cublasLtMatmulAlgoGetHeuristic)       \
    X(cublasLtMatmulDescCreate)             \
    X(cublasLtMatmulDescDestroy)            \
    X(cublasLtMatmulDescSetAttribute)       \
    X(cublasLtMatrixLayoutCreate)           \
    X(cublasLtMatrixLayoutDestroy)          \
    X(cublasLtMatrixLayoutSetAttribute)     \
    X(cublasLtMatmulPreferenceCreate)       \
    X(cublasLtMatmulPreferenceDestroy)      \
    X(cublasLtMatmulPreferenceSetAttribute) \
    X(cublasLtGetStatusString)              \
    X(cublasLtGetVersion)                   \
    X(cublasLtGetCudartVersion)

struct CublasLt {
#define X(name) decltype(&::name) name;
    NATIVEGRAD_CUBLASLT_FUNCTIONS(X)
#undef X
};

// Throws load_cublaslt's message while the library is not there.
const CublasLt& cublaslt();
// The handle of the current device.
cublasLtHandle_t cublaslt_handle();
// Throws with the status' text.
void check(cublasStatus_t status, const char* call);

}  // namespace nativegrad::cuda
