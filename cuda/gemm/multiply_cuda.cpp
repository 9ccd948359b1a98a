#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend/error.h"
#include "gemm/choices.h"
#include "gemm/cublaslt.h"
#include "gemm/library_cuda.h"
#include "runtime/check_cuda.h"
#include "runtime/launch_notes.h"
#include "runtime/room.h"

namespace nativegrad::cuda {

namespace {

cudaDataType_t data_type(DType type) {
    switch (type) {
        case DType::float64:
            return CUDA_R_64F;
        case DType::float16:
            return CUDA_R_16F;
        case DType::bfloat16:
            return CUDA_R_16BF;
        default:
            return CUDA_R_32F;
    }
}

cublasComputeType_t compute_type(const Product& p) {
    if (p.type == DType::float64) return CUBLAS_COMPUTE_64F;
    return p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

// The operands change places for the column-major library, so the sum of A is its BGRADB.
cublasLtEpilogue_t epilogue_of(Epilogue epilogue) {
    switch (epilogue) {
        case Epilogue::none:
            return CUBLASLT_EPILOGUE_DEFAULT;
        case Epilogue::bias:
            return CUBLASLT_EPILOGUE_BIAS;
        case Epilogue::relu:
            return CUBLASLT_EPILOGUE_RELU;
        case Epilogue::relu_bias:
            return CUBLASLT_EPILOGUE_RELU_BIAS;
        case Epilogue::relu_mask:
            return CUBLASLT_EPILOGUE_RELU_AUX;
        case Epilogue::relu_mask_bias:
            return CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
        case Epilogue::gelu_bias:
            return CUBLASLT_EPILOGUE_GELU_BIAS;
        case Epilogue::gelu_input_bias:
            return CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
        case Epilogue::relu_backward:
            return CUBLASLT_EPILOGUE_DRELU;
        case Epilogue::relu_backward_sum:
            return CUBLASLT_EPILOGUE_DRELU_BGRAD;
        case Epilogue::gelu_backward:
            return CUBLASLT_EPILOGUE_DGELU;
        case Epilogue::gelu_backward_sum:
            return CUBLASLT_EPILOGUE_DGELU_BGRAD;
        case Epilogue::sum_a:
            return CUBLASLT_EPILOGUE_BGRADB;
        case Epilogue::sum_b:
            return CUBLASLT_EPILOGUE_BGRADA;
    }
    return CUBLASLT_EPILOGUE_DEFAULT;
}

class Description {
  public:
    explicit Description(const Product& p) {
        const cudaDataType_t scale = p.type == DType::float64 ? CUDA_R_64F : CUDA_R_32F;
        check(cublaslt().cublasLtMatmulDescCreate(&handle, compute_type(p), scale),
              "cublasLtMatmulDescCreate");
        set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p.epilogue));
        if (uses_bias(p.epilogue))
            set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(data_type(p.output)));
        if (uses_auxiliary(p.epilogue)) set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.auxiliary_row);
        point_to(p);
        if (uses_auxiliary(p.epilogue) && !uses_mask(p.epilogue)) {
            set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, static_cast<int32_t>(data_type(p.output)));
        }
    }
    ~Description() {
        if (handle != nullptr) cublaslt().cublasLtMatmulDescDestroy(handle);
    }
    // The vectors of this call.
    void point_to(const Product& p) {
        if (uses_bias(p.epilogue)) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
        if (uses_auxiliary(p.epilogue)) set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.auxiliary);
    }
    Description(const Description&) = delete;
    Description& operator=(const Description&) = delete;
    cublasLtMatmulDesc_t handle = nullptr;

  private:
    template <class T>
    void set(cublasLtMatmulDescAttributes_t name, T value) {
        check(cublaslt().cublasLtMatmulDescSetAttribute(handle, name, &value, sizeof value),
              "cublasLtMatmulDescSetAttribute");
    }
};

// A stored row-major matrix [rows, columns] is a column-major one [columns, rows].
class Layout {
  public:
    Layout(DType type, int64_t rows, int64_t columns, int64_t row, int64_t batch, int64_t stride) {
        check(cublaslt().cublasLtMatrixLayoutCreate(&handle, data_type(type), static_cast<uint64_t>(columns),
                                                    static_cast<uint64_t>(rows), row),
              "cublasLtMatrixLayoutCreate");
        if (batch == 1) return;
        set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(batch));
        set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
    }
    ~Layout() {
        if (handle != nullptr) cublaslt().cublasLtMatrixLayoutDestroy(handle);
    }
    Layout(const Layout&) = delete;
    Layout& operator=(const Layout&) = delete;
    cublasLtMatrixLayout_t handle = nullptr;

  private:
    template <class T>
    void set(cublasLtMatrixLayoutAttribute_t name, T value) {
        check(cublaslt().cublasLtMatrixLayoutSetAttribute(handle, name, &value, sizeof value),
              "cublasLtMatrixLayoutSetAttribute");
    }
};

class Preference {
  public:
    Preference() {
        check(cublaslt().cublasLtMatmulPreferenceCreate(&handle), "cublasLtMatmulPreferenceCreate");
    }
    ~Preference() {
        if (handle != nullptr) cublaslt().cublasLtMatmulPreferenceDestroy(handle);
    }
    Preference(const Preference&) = delete;
    Preference& operator=(const Preference&) = delete;
    template <class T>
    void set(cublasLtMatmulPreferenceAttributes_t name, T value) {
        check(cublaslt().cublasLtMatmulPreferenceSetAttribute(handle, name, &value, sizeof value),
              "cublasLtMatmulPreferenceSetAttribute");
    }
    cublasLtMatmulPreference_t handle = nullptr;
};

// The power of two, up to 16, that the address is a multiple of. Not more: where an allocator happens to put
// a tensor must not choose the algorithm, and with it the bits.
uint32_t alignment_of(const void* data) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(data) | 16;
    return static_cast<uint32_t>(address & (~address + 1));
}

// All that the choice of an algorithm depends on.
using Key = std::array<int64_t, 24>;

Key key_of(const Product& p, const std::array<uint32_t, 3>& alignments, size_t workspace_bytes) {
    return {current_device(),
            static_cast<int64_t>(p.type),
            static_cast<int64_t>(p.output),
            p.m,
            p.n,
            p.k,
            p.transpose_a,
            p.transpose_b,
            p.row_a,
            p.row_b,
            p.row_c,
            p.batch,
            p.stride_a,
            p.stride_b,
            p.stride_c,
            p.tf32,
            static_cast<int64_t>(p.epilogue),
            p.auxiliary_row,
            alignments[0],
            alignments[1],
            alignments[2],
            static_cast<int64_t>(workspace_bytes),
            alignment_of(p.bias),
            p.beta != 0};
}

struct Operands {
    Layout a, b, c;
    explicit Operands(const Product& p)
        : a(p.type, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.row_a, p.batch, p.stride_a),
          b(p.type, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.row_b, p.batch, p.stride_b),
          c(p.output, p.m, p.n, p.row_c, p.batch, p.stride_c) {}
};

using Alignments = std::array<uint32_t, 3>;

// The heuristic's best first; empty where cuBLASLt has none for it on this device.
std::vector<cublasLtMatmulAlgo_t> candidates(const Product& p, const Description& description,
                                             const Operands& operands, const Alignments& alignments,
                                             size_t workspace_bytes) {
    Preference preference;
    preference.set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(workspace_bytes));
    // In place would add by atomics, in an order that changes from run to run.
    preference.set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                   static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignments[1]);
    preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignments[0]);
    preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignments[2]);
    // There is no preference for the bias, which is read as wide as D is written.
    preference.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::min(alignments[2], alignment_of(p.bias)));
    constexpr int most = 8;
    cublasLtMatmulHeuristicResult_t results[most] = {};
    int found = 0;
    const cublasStatus_t status = cublaslt().cublasLtMatmulAlgoGetHeuristic(
        cublaslt_handle(), description.handle, operands.b.handle, operands.a.handle, operands.c.handle,
        operands.c.handle, preference.handle, most, results, &found);
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    // Of an epilogue that it does not know for the layout, some versions say that it is no valid value.
    const bool has_epilogue = p.epilogue != Epilogue::none;
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_INVALID_VALUE && has_epilogue))
        return algorithms;
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    for (int i = 0; i < found; ++i) {
        if (results[i].state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(results[i].algo);
    }
    return algorithms;
}

// All of a shape that is the same in each call. Its descriptions point to the vectors of one call at a time,
// so calls hold the lock.
struct Plan {
    Plan(const Product& p, const Alignments& alignments, size_t workspace_bytes)
        : description(p),
          operands(p),
          algorithms(candidates(p, description, operands, alignments, workspace_bytes)) {}
    std::mutex mutex;
    Description description;
    Operands operands;
    std::vector<cublasLtMatmulAlgo_t> algorithms;
    std::optional<size_t> chosen;  // by time, or by the first call where that captures
};

// Never destroyed: threads may multiply while the process ends.
struct Plans {
    std::mutex mutex;
    std::map<Key, std::shared_ptr<Plan>> of;
};
Plans& plans() {
    static Plans* const instance = new Plans;
    return *instance;
}
// Shapes without end must not fill the memory.
constexpr size_t most_plans = 4096;

std::shared_ptr<Plan> plan_of(const Key& key, const Product& p, const Alignments& alignments,
                              size_t workspace_bytes) {
    Plans& all = plans();
    {
        const std::lock_guard lock(all.mutex);
        const auto known = all.of.find(key);
        if (known != all.of.end()) return known->second;
    }
    auto made = std::make_shared<Plan>(p, alignments, workspace_bytes);
    const std::lock_guard lock(all.mutex);
    if (all.of.size() >= most_plans) all.of.clear();
    // Another thread's, where it was faster: it may have chosen already.
    return all.of.emplace(key, std::move(made)).first->second;
}

// The algorithm's own bytes, as cuBLASLt documents them to be kept for the same version of it.
std::string text_of(const cublasLtMatmulAlgo_t& algorithm) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&algorithm);
    std::string text;
    for (size_t i = 0; i < sizeof algorithm; ++i) {
        constexpr const char* digits = "0123456789abcdef";
        text += digits[bytes[i] / 16];
        text += digits[bytes[i] % 16];
    }
    return text;
}

std::string text_of(const Key& key) {
    std::string text = choice_place() + " product";
    // The device's number says nothing to another process.
    for (size_t i = 1; i < key.size(); ++i) text += " " + std::to_string(key[i]);
    return text;
}

// start(algorithm) -> whether cuBLASLt took it. Which of the plan's algorithms is fastest, or what was found
// to be in an earlier process; the first one where nothing may be timed. Empty where it takes none of them.
template <class Start>
std::optional<size_t> choose(const Plan& plan, const Key& key, const Product& p, Stream stream,
                             const Start& start) {
    if (plan.algorithms.size() < 2 || !can_time_products()) return 0;
    const std::string text = text_of(key);
    if (const std::optional<std::string> known = known_choice(text)) {
        for (size_t i = 0; i < plan.algorithms.size(); ++i) {
            if (text_of(plan.algorithms[i]) == *known) return i;
        }
    }
    // A product that adds to its output comes to another end each time.
    if (p.beta != 0 || is_capturing(stream)) return 0;
    std::optional<size_t> best;
    double least = 0;
    for (size_t i = 0; i < plan.algorithms.size(); ++i) {
        bool taken = true;
        const double time = milliseconds_of(stream, [&] { taken = taken && start(plan.algorithms[i]); });
        if (!taken || (best.has_value() && time >= least)) continue;
        best = i;
        least = time;
    }
    if (best.has_value()) keep_choice(text, text_of(plan.algorithms[*best]));
    return best;
}

}  // namespace

bool can_time_products() { return true; }

bool multiply(const Product& p, const void* a, const void* b, void* c, Workspace workspace, Stream stream) {
    check_product(p);
    const CublasLt& lt = cublaslt();
    if (p.m == 0 || p.n == 0 || p.batch == 0) return true;
    const Alignments alignments = {alignment_of(a), alignment_of(b), alignment_of(c)};
    const Key key = key_of(p, alignments, workspace.bytes);
    const std::shared_ptr<Plan> plan = plan_of(key, p, alignments, workspace.bytes);
    const float alpha = static_cast<float>(p.alpha), beta = static_cast<float>(p.beta);
    const bool wide = p.type == DType::float64;
    const void* scales[] = {wide ? static_cast<const void*>(&p.alpha) : &alpha,
                            wide ? static_cast<const void*>(&p.beta) : &beta};
    const std::lock_guard lock(plan->mutex);
    if (plan->algorithms.empty()) return false;
    plan->description.point_to(p);
    const Operands& operands = plan->operands;
    const auto start = [&](const cublasLtMatmulAlgo_t& algorithm) {
        return lt.cublasLtMatmul(cublaslt_handle(), plan->description.handle, scales[0], b, operands.b.handle,
                                 a, operands.a.handle, scales[1], c, operands.c.handle, c, operands.c.handle,
                                 &algorithm, workspace.data, workspace.bytes, native(stream.handle));
    };
    const bool deterministic = is_deterministic();
    if (!deterministic && !plan->chosen.has_value()) {
        plan->chosen = choose(*plan, key, p, stream, [&](const cublasLtMatmulAlgo_t& algorithm) {
            return start(algorithm) == CUBLAS_STATUS_SUCCESS;
        });
        if (!plan->chosen.has_value()) {
            // The next call hears so without trying.
            plan->algorithms.clear();
            return false;
        }
    }
    const cublasLtMatmulAlgo_t& algorithm = plan->algorithms[deterministic ? 0 : *plan->chosen];
    if (note_alone("cuBLASLt", stream, [=](Stream on) { multiply(p, a, b, c, workspace, on); })) return true;
    with_room([&] { check(start(algorithm), "cublasLtMatmul"); });
    return true;
}

}  // namespace nativegrad::cuda
