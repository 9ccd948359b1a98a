#include "backend/error.h"
#include "gemm/cublaslt.h"

namespace nativegrad::cuda {

bool uses_mask(Epilogue epilogue) {
    switch (epilogue) {
        case Epilogue::relu_mask:
        case Epilogue::relu_mask_bias:
        case Epilogue::relu_backward:
        case Epilogue::relu_backward_sum:
            return true;
        default:
            return false;
    }
}

bool uses_auxiliary(Epilogue epilogue) {
    switch (epilogue) {
        case Epilogue::gelu_input_bias:
        case Epilogue::gelu_backward:
        case Epilogue::gelu_backward_sum:
            return true;
        default:
            return uses_mask(epilogue);
    }
}

bool uses_bias(Epilogue epilogue) {
    switch (epilogue) {
        case Epilogue::none:
        case Epilogue::relu:
        case Epilogue::relu_mask:
        case Epilogue::relu_backward:
        case Epilogue::gelu_backward:
            return false;
        default:
            return true;
    }
}

namespace {

void check_rows(const char* name, int64_t columns, int64_t row) {
    if (row < columns) {
        fail("[product] rows of %s lie %lld elements apart, but hold %lld", name, static_cast<long long>(row),
             static_cast<long long>(columns));
    }
}

void check_types(const Product& p) {
    const bool half = p.type == DType::float16 || p.type == DType::bfloat16;
    const bool full = p.type == DType::float32 || p.type == DType::float64;
    if (!half && !full) fail("[product] operands must be float32, float64, float16 or bfloat16");
    if (p.output != p.type && !(half && p.output == DType::float32)) {
        fail("[product] the output's type must be that of the operands, or float32 for 16-bit ones");
    }
    if (p.type == DType::float64 && p.epilogue != Epilogue::none) fail("[product] float64 has no epilogues");
    if (p.tf32 && p.type != DType::float32) fail("[product] TF32 is for float32 operands");
}

}  // namespace

void check_product(const Product& p) {
    check_types(p);
    if (p.m < 0 || p.n < 0 || p.batch < 0 || p.k < 1)
        fail("[product] sizes must not be negative, k at least 1");
    check_rows("a", p.transpose_a ? p.m : p.k, p.row_a);
    check_rows("b", p.transpose_b ? p.k : p.n, p.row_b);
    check_rows("c", p.n, p.row_c);
    if (p.batch > 1 && p.stride_c < (p.m - 1) * p.row_c + p.n)
        fail("[product] the outputs of the batch overlap");
    if (p.batch > 1 && p.epilogue != Epilogue::none)
        fail("[product] epilogues are for one product at a time");
    if (uses_bias(p.epilogue) != (p.bias != nullptr)) fail("[product] the epilogue and the bias do not fit");
    if (uses_auxiliary(p.epilogue) != (p.auxiliary != nullptr)) {
        fail("[product] the epilogue and the auxiliary matrix do not fit");
    }
    if (!uses_auxiliary(p.epilogue)) return;
    check_rows("the auxiliary matrix", p.n, p.auxiliary_row);
    const int64_t multiple = uses_mask(p.epilogue) ? 128 : 8;
    if (p.auxiliary_row % multiple != 0 || reinterpret_cast<uintptr_t>(p.auxiliary) % 16 != 0) {
        fail("[product] rows of the auxiliary matrix must lie a multiple of %lld apart and begin at 16 bytes",
             static_cast<long long>(multiple));
    }
}

}  // namespace nativegrad::cuda
