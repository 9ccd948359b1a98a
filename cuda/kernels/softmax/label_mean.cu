#include <algorithm>

#include "backend/ops.h"
#include "device/batched.h"
#include "device/device.h"
#include "kernels/values.h"
#include "ops/label_checks.h"

namespace nativegrad::cuda {

namespace {

constexpr int mean_threads = 256;
// Where one block would take too long, others sum up parts first.
constexpr int64_t terms_per_block = int64_t{mean_threads} * 32, most_parts = mean_threads;

// terms [N], labels [N] and weights [C] (no data: all 1), of any strides; or sums of parts [N] of both
struct LabelTerms {
    Source terms, labels, weights;
    int64_t count, classes, term_stride, label_stride, weight_stride, ignored;
    const double *term_parts, *share_parts;

    __device__ __forceinline__ double term(int64_t i) const {
        return term_parts != nullptr ? term_parts[i] : load_as<double>(terms, i * term_stride);
    }
    // What the label counts for; one that is no class counts for nothing.
    __device__ __forceinline__ double share(int64_t i) const {
        if (share_parts != nullptr) return share_parts[i];
        const int64_t label = load_as<int64_t>(labels, i * label_stride);
        if (label == ignored) return 0;
        if (weights.data == nullptr) return 1;
        return label >= 0 && label < classes ? load_as<double>(weights, label * weight_stride) : 0;
    }
};

struct MeanResult {
    void *mean, *divisor;
    DType mean_dtype, divisor_dtype;
    double *term_parts, *share_parts;  // where not null, sums of parts are the result
};

// of [N] -> mean [], divisor [], by one block; or sums of a part for each block
__device__ __forceinline__ void label_mean_terms(const LabelTerms& of, const MeanResult& to) {
    SharedArena arena;
    double* parts = arena.take<double>(block_reduce_parts);
    double terms = 0, shares = 0;
    for (int64_t i = grid_thread_index(); i < of.count; i += grid_thread_count()) {
        terms += of.term(i);
        shares += of.share(i);
    }
    terms = block_reduce(terms, AddOf(), 0.0, parts);
    shares = block_reduce(shares, AddOf(), 0.0, parts);
    if (thread_index() != 0) return;
    if (to.term_parts != nullptr) {
        to.term_parts[block_index()] = terms;
        to.share_parts[block_index()] = shares;
        return;
    }
    store_as(to.mean, to.mean_dtype, 0, terms / shares);
    store_as(to.divisor, to.divisor_dtype, 0, shares);
}

LabelTerms terms_of(const OpCall& call, const LabelMeanParams& params) {
    const TensorView &terms = call.inputs[0], &labels = call.inputs[1];
    const TensorView* weight = call.input_count == 3 ? &call.inputs[2] : nullptr;
    return {source_of(terms),
            source_of(labels),
            weight == nullptr ? Source{nullptr, DType::float64, 1} : source_of(*weight),
            terms.shape[0],
            weight == nullptr ? 0 : weight->shape[0],
            terms.strides[0],
            labels.strides[0],
            weight == nullptr ? 0 : weight->strides[0],
            params.ignore_index,
            nullptr,
            nullptr};
}

}  // namespace

namespace ops {

// terms [N], labels [N], (weights [C]) -> mean [], divisor []
// divisor = sum of w_t over the labels t that count, mean = sum of the terms / divisor; both sums in float64
void label_mean(const OpCall& call, const LabelMeanParams& params, Queue& queue) {
    check_label_mean(call);
    LabelTerms terms = terms_of(call, params);
    const TensorView &mean = call.outputs[0], &divisor = call.outputs[1];
    MeanResult result{mean.data, divisor.data, mean.dtype, divisor.dtype, nullptr, nullptr};
    const size_t shared = shared_bytes<double>(block_reduce_parts);
    const int64_t parts =
        terms.count <= terms_per_block ? 1 : std::min(most_parts, blocks_for(terms.count, mean_threads, 32));
    const Grid joining{1, mean_threads, shared};
    if (parts == 1) return launch_batched<label_mean_terms>(joining, queue.stream(), terms, result);
    const Scratch work(queue, 2 * static_cast<size_t>(parts) * sizeof(double));
    MeanResult partial = result;
    partial.term_parts = work.as<double>();
    partial.share_parts = partial.term_parts + parts;
    launch_batched<label_mean_terms>(Grid{parts, mean_threads, shared}, queue.stream(), terms, partial);
    terms.term_parts = partial.term_parts;
    terms.share_parts = partial.share_parts;
    terms.count = parts;
    launch_batched<label_mean_terms>(joining, queue.stream(), terms, result);
}

}  // namespace ops

}  // namespace nativegrad::cuda
