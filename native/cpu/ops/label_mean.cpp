#include <algorithm>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"
#include "cpu/work_buffer.h"
#include "ops/label_checks.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t terms_per_part = 16 * block_size;

struct Sums {
    double terms, shares;
};

// The sums of terms first .. last - 1; labels that are no class count for nothing, as one that is ignored.
Sums sums_of(const TensorView& terms, const TensorView& labels, const double* weights, int64_t classes,
             int64_t ignored, int64_t first, int64_t last) {
    double values[block_size];
    int64_t targets[block_size];
    Sums sums{0, 0};
    for (int64_t i = first; i < last; i += block_size) {
        const int64_t count = std::min(block_size, last - i);
        load_block(terms.dtype, element(terms, i * terms.strides[0]), terms.strides[0], count, values);
        load_block(labels.dtype, element(labels, i * labels.strides[0]), labels.strides[0], count, targets);
        for (int64_t k = 0; k < count; ++k) {
            sums.terms += values[k];
            if (targets[k] == ignored) continue;
            if (weights == nullptr)
                sums.shares += 1;
            else if (targets[k] >= 0 && targets[k] < classes)
                sums.shares += weights[targets[k]];
        }
    }
    return sums;
}

}  // namespace

// terms [N], labels [N], (weights [C]) -> mean [], divisor []
// divisor = sum of w_t over the labels t that count, mean = sum of the terms / divisor; both sums in float64
void label_mean(const OpCall& call, const LabelMeanParams& params) {
    check_label_mean(call);
    const TensorView &terms = call.inputs[0], &labels = call.inputs[1];
    const TensorView* weight = call.input_count == 3 ? &call.inputs[2] : nullptr;
    const int64_t count = terms.shape[0], classes = weight == nullptr ? 0 : weight->shape[0];
    const WorkBuffer<double> weights(classes);
    if (weight != nullptr)
        load_block(weight->dtype, weight->data, weight->strides[0], classes, weights.data());
    const int64_t parts = (count + terms_per_part - 1) / terms_per_part;
    std::vector<Sums> made(static_cast<size_t>(parts));
    parallel_for(parts, [&](int64_t part) {
        const int64_t first = part * terms_per_part;
        made[static_cast<size_t>(part)] =
            sums_of(terms, labels, weight == nullptr ? nullptr : weights.data(), classes, params.ignore_index,
                    first, std::min(first + terms_per_part, count));
    });
    Sums all{0, 0};
    for (const Sums& each : made) {
        all.terms += each.terms;
        all.shares += each.shares;
    }
    const double results[2] = {all.terms / all.shares, all.shares};
    for (int i = 0; i < 2; ++i) store_block(call.outputs[i].dtype, call.outputs[i].data, 1, 1, results + i);
}

}  // namespace nativegrad::cpu
