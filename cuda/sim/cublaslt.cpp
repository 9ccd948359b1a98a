// The products of gemm/cublaslt.h by plain loops.
#include "gemm/cublaslt.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/error.h"
#include "gemm/choices.h"
#include "runtime/launch_notes.h"
#include "sim/control.h"
#include "sim/device_state.h"
#include "sim/heap.h"
#include "sim/submit.h"

namespace nativegrad::cuda {

namespace {

double read(DType type, const void* data, int64_t i) {
    switch (type) {
        case DType::float64:
            return static_cast<const double*>(data)[i];
        case DType::float16:
            return to_float(static_cast<const Float16*>(data)[i]);
        case DType::bfloat16:
            return to_float(static_cast<const BFloat16*>(data)[i]);
        default:
            return static_cast<const float*>(data)[i];
    }
}

void write(DType type, void* data, int64_t i, double value) {
    switch (type) {
        case DType::float64:
            static_cast<double*>(data)[i] = value;
            break;
        case DType::float16:
            static_cast<Float16*>(data)[i] = to_float16(static_cast<float>(value));
            break;
        case DType::bfloat16:
            static_cast<BFloat16*>(data)[i] = to_bfloat16(static_cast<float>(value));
            break;
        default:
            static_cast<float*>(data)[i] = static_cast<float>(value);
    }
}

double to_tf32(double value) {
    const uint32_t bits = float_bits(static_cast<float>(value));
    if ((bits & 0x7f800000u) == 0x7f800000u) return value;
    return bits_float((bits + 0x1000u) & ~0x1fffu);
}

// op(X) [rows, columns], dense
std::vector<double> operand(const Product& p, const void* data, int64_t first, int64_t rows, int64_t columns,
                            int64_t row, bool transposed) {
    std::vector<double> dense(static_cast<size_t>(rows * columns));
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            const double value = read(p.type, data, first + (transposed ? j * row + i : i * row + j));
            dense[static_cast<size_t>(i * columns + j)] = p.tf32 ? to_tf32(value) : value;
        }
    }
    return dense;
}

double gelu_tanh(double x) {
    return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

double gelu_tanh_slope(double x) {
    const double t = std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788456080286535588 * (1 + 0.134145 * x * x);
}

double positive(double x) { return x > 0 ? x : 0; }

struct Bits {
    uint8_t* bytes;
    int64_t row;
    bool get(int64_t i, int64_t j) const { return (bytes[(i * row + j) / 8] >> (j % 8) & 1) != 0; }
    void set(int64_t i, int64_t j, bool value) const {
        uint8_t& byte = bytes[(i * row + j) / 8];
        byte = static_cast<uint8_t>((byte & ~(1 << (j % 8))) | (value ? 1 << (j % 8) : 0));
    }
};

double finish(const Product& p, int64_t i, int64_t j, double v) {
    const Bits bits{static_cast<uint8_t*>(p.auxiliary), p.auxiliary_row};
    const int64_t aux = i * p.auxiliary_row + j;
    switch (p.epilogue) {
        case Epilogue::bias:
            return v + read(p.output, p.bias, j);
        case Epilogue::relu:
            return positive(v);
        case Epilogue::relu_bias:
            return positive(v + read(p.output, p.bias, j));
        case Epilogue::relu_mask_bias:
            v += read(p.output, p.bias, j);
            bits.set(i, j, v > 0);
            return positive(v);
        case Epilogue::relu_mask:
            bits.set(i, j, v > 0);
            return positive(v);
        case Epilogue::gelu_bias:
            return gelu_tanh(v + read(p.output, p.bias, j));
        case Epilogue::gelu_input_bias:
            v += read(p.output, p.bias, j);
            write(p.output, p.auxiliary, aux, v);
            return gelu_tanh(v);
        case Epilogue::relu_backward:
        case Epilogue::relu_backward_sum:
            return bits.get(i, j) ? v : 0;
        case Epilogue::gelu_backward:
        case Epilogue::gelu_backward_sum:
            return v * gelu_tanh_slope(read(p.output, p.auxiliary, aux));
        default:
            return v;
    }
}

// What the epilogue sums, to bias: columns of the output, or the operands over k.
void write_sums(const Product& p, const std::vector<double>& a, const std::vector<double>& b,
                const std::vector<double>& stored) {
    const auto sum = [&](const std::vector<double>& x, int64_t rows, int64_t columns, bool over_rows) {
        std::vector<double> sums(static_cast<size_t>(over_rows ? columns : rows));
        for (int64_t i = 0; i < rows; ++i) {
            for (int64_t j = 0; j < columns; ++j) {
                sums[static_cast<size_t>(over_rows ? j : i)] += x[static_cast<size_t>(i * columns + j)];
            }
        }
        for (size_t i = 0; i < sums.size(); ++i) write(p.output, p.bias, static_cast<int64_t>(i), sums[i]);
    };
    if (p.epilogue == Epilogue::sum_a) return sum(a, p.m, p.k, false);
    if (p.epilogue == Epilogue::sum_b) return sum(b, p.k, p.n, true);
    sum(stored, p.m, p.n, true);
}

bool writes_sums(Epilogue epilogue) {
    return epilogue == Epilogue::sum_a || epilogue == Epilogue::sum_b ||
           epilogue == Epilogue::relu_backward_sum || epilogue == Epilogue::gelu_backward_sum;
}

void compute_one(const Product& p, int64_t index, const void* a_data, const void* b_data, void* c_data) {
    const std::vector<double> a = operand(p, a_data, index * p.stride_a, p.m, p.k, p.row_a, p.transpose_a);
    const std::vector<double> b = operand(p, b_data, index * p.stride_b, p.k, p.n, p.row_b, p.transpose_b);
    std::vector<double> stored(writes_sums(p.epilogue) ? static_cast<size_t>(p.m * p.n) : 0);
    std::vector<double> sums(static_cast<size_t>(p.n));
    for (int64_t i = 0; i < p.m; ++i) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (int64_t l = 0; l < p.k; ++l) {
            const double left = a[static_cast<size_t>(i * p.k + l)];
            const double* right = &b[static_cast<size_t>(l * p.n)];
            for (int64_t j = 0; j < p.n; ++j) sums[static_cast<size_t>(j)] += left * right[j];
        }
        for (int64_t j = 0; j < p.n; ++j) {
            const int64_t at = index * p.stride_c + i * p.row_c + j;
            // As cuBLAS: C is not read where beta is 0.
            const double before = p.beta == 0 ? 0 : p.beta * read(p.output, c_data, at);
            const double value = finish(p, i, j, p.alpha * sums[static_cast<size_t>(j)] + before);
            write(p.output, c_data, at, value);
            if (!stored.empty()) stored[static_cast<size_t>(i * p.n + j)] = value;
        }
    }
    if (writes_sums(p.epilogue)) write_sums(p, a, b, stored);
}

void check_matrix(const char* name, const void* data, DType type, int64_t rows, int64_t columns, int64_t row,
                  int64_t batch, int64_t stride) {
    const size_t item = item_size(type);
    for (int64_t i = 0; i < batch; i += stride == 0 ? batch : 1) {
        for (int64_t r = 0; r < rows; ++r) {
            const char* begin =
                static_cast<const char*>(data) + static_cast<size_t>(i * stride + r * row) * item;
            if (sim::may_touch_range(begin, static_cast<size_t>(columns) * item)) continue;
            char where[200];
            sim::describe_address(begin, where, sizeof where);
            fail("[product] row %lld of %s lies outside of device memory: %s", static_cast<long long>(r),
                 name, where);
        }
    }
}

void check_vector(const Product& p) {
    if (p.bias != nullptr) {
        check_matrix("the bias", p.bias, p.output, 1, p.epilogue == Epilogue::sum_a ? p.m : p.n, 0, 1, 0);
    }
    if (uses_mask(p.epilogue)) {
        check_matrix("the mask", p.auxiliary, DType::uint8, p.m, (p.n + 7) / 8, p.auxiliary_row / 8, 1, 0);
    } else if (p.auxiliary != nullptr) {
        check_matrix("the auxiliary matrix", p.auxiliary, p.output, p.m, p.n, p.auxiliary_row, 1, 0);
    }
}

}  // namespace

namespace {
std::string& named_library() {
    static std::string* const path = new std::string;
    return *path;
}
}  // namespace

void name_cublaslt(const std::string& only, const std::string& also) {
    named_library() = only.empty() ? also : only;
}

LibraryState load_cublaslt() {
    LibraryState state;
    if (sim::setup().cublaslt_missing) {
        const std::string& named = named_library();
        state.message = "[cuda] cuBLASLt cannot be opened. Tried:\n  " +
                        (named.empty() ? "" : named + "\n  ") + "libcublasLt.so.13 (simulated)";
        return state;
    }
    return {true, "simulated", 130000, ""};
}

bool can_time_products() { return sim::setup().timed; }

bool multiply(const Product& p, const void* a, const void* b, void* c, Workspace workspace, Stream stream) {
    check_product(p);
    const LibraryState library = load_cublaslt();
    if (!library.ready) throw Error(Status::invalid_argument, library.message);
    if (p.m == 0 || p.n == 0 || p.batch == 0) return true;
    if (sim::setup().no_algorithm) return false;
    check_matrix("a", a, p.type, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.row_a, p.batch,
                 p.stride_a);
    check_matrix("b", b, p.type, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.row_b, p.batch,
                 p.stride_b);
    check_matrix("c", c, p.output, p.m, p.n, p.row_c, p.batch, p.stride_c);
    check_vector(p);
    if (workspace.bytes > 0 && !sim::may_touch_range(workspace.data, workspace.bytes)) {
        fail("[product] the workspace of %zu bytes is no device memory", workspace.bytes);
    }
    if (note_alone("cuBLASLt", stream, [=](Stream on) { multiply(p, a, b, c, workspace, on); })) return true;
    sim::submit_work("multiply", stream, "product", [=] {
        for (int64_t i = 0; i < p.batch; ++i) compute_one(p, i, a, b, c);
    });
    return true;
}

}  // namespace nativegrad::cuda
