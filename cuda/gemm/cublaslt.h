// Products by cuBLASLt, opened at run time. Everything is row-major as in the rest of the library; the body
// swaps the operands for the column-major one. The simulator has a body that computes in double and rounds
// once.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/runtime.h"
#include "tensor/dtype.h"

namespace nativegrad::cuda {

// What happens to each value v of the product before it is stored, and what else is written. "sum" also
// writes a sum of what is stored to `bias`. relu is max(v, 0), which may lose a NaN; gelu is the tanh form.
enum class Epilogue {
    none,
    bias,       // v + bias[n]
    relu,       // of v
    relu_bias,  // of v + bias[n]
    relu_mask,  // and one bit per element, v > 0, to auxiliary
    relu_mask_bias,
    gelu_bias,          // of v + bias[n]
    gelu_input_bias,    // and v + bias[n] itself to auxiliary
    relu_backward,      // v where the bit of auxiliary is set, else 0
    relu_backward_sum,  // and its sum over m to bias[n]
    gelu_backward,      // v gelu'(auxiliary)
    gelu_backward_sum,  // and its sum over m to bias[n]
    sum_a,              // and the sum over k of op(A) to bias[m]
    sum_b               // and the sum over k of op(B) to bias[n]
};

// op(A) [m, k], op(B) [k, n] -> C [m, n] = epilogue(alpha op(A) op(B) + beta C), `batch` times
struct Product {
    DType type = DType::float32;  // of A and B: float32, float64, float16, bfloat16
    DType output =
        DType::float32;  // of C, bias, sums and GELU's input: `type`, or float32 for the 16-bit ones
    int64_t m = 0, n = 0, k = 0;
    bool transpose_a = false, transpose_b = false;  // A is stored [k, m], B is stored [n, k]
    int64_t row_a = 0, row_b = 0, row_c = 0;        // elements from one stored row to the next
    int64_t batch = 1;
    int64_t stride_a = 0, stride_b = 0,
            stride_c = 0;  // elements from one product to the next; 0 shares A or B
    double alpha = 1, beta = 0;
    bool tf32 = false;  // float32 operands may be rounded to TF32
    Epilogue epilogue = Epilogue::none;
    void* bias = nullptr;
    void* auxiliary = nullptr;
    int64_t auxiliary_row =
        0;  // from one row of m to the next: bits (a multiple of 128), or elements (of 8) for GELU
};

struct Workspace {
    void* data = nullptr;
    size_t bytes = 0;
};
// Enough for all that the heuristics choose; 256-byte aligned. Less is allowed.
constexpr size_t product_workspace_bytes = size_t{32} << 20;

struct LibraryState {
    bool ready = false;
    std::string path;     // that was opened
    size_t version = 0;   // 130000 and the like
    std::string message;  // what was tried, when not ready
};

// Where the library lies: `only`, a file or folder; or, where that is empty, beside the plugin, in the
// toolkit that a build has set up, in the folder `also`, or where the system finds it. Forgets a failure.
void name_cublaslt(const std::string& only, const std::string& also);
// Opens it. The first that opens stays; after a failure another call tries again, though ops, which ask at
// their first large product, keep to that answer: their bits may not change within a process. Never throws.
LibraryState load_cublaslt();

// Bits do not depend on the run: no algorithm that adds by atomics is chosen. Throws nativegrad::Error when
// the library is missing and for shapes that do not fit. False, and nothing done, where cuBLASLt has no
// algorithm on this device. Nothing happens for m, n or batch of 0.
bool multiply(const Product& product, const void* a, const void* b, void* c, Workspace workspace,
              Stream stream);

// Throws where the fields contradict each other; also what both bodies begin with.
void check_product(const Product& product);
bool uses_mask(Epilogue epilogue);
bool uses_auxiliary(Epilogue epilogue);
bool uses_bias(Epilogue epilogue);

}  // namespace nativegrad::cuda
