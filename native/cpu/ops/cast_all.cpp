#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/ops/block_io.h"
#include "cpu/thread_pool.h"
#include "ops/cast_checks.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t elements_per_task = 16 * block_size;
constexpr int32_t most_tensors = 64;

void cast_piece(const TensorView& x, const TensorView& out, int64_t first, int64_t count) {
    const float* from = static_cast<const float*>(x.data) + first;
    char* to = static_cast<char*>(out.data) + first * static_cast<int64_t>(item_size(out.dtype));
    for (int64_t i = 0; i < count; i += block_size)
        store_block(out.dtype, to + i * static_cast<int64_t>(item_size(out.dtype)), 1,
                    std::min(block_size, count - i), from + i);
}

}  // namespace

// x [...] float32 each -> [...] float16 or bfloat16 each
void cast_all(const OpCall& call, const NoParams&) {
    check_cast_all(call);
    // One fork for all of them: most are small.
    int64_t first_task[most_tensors + 1] = {};
    for (int32_t i = 0; i < call.input_count; ++i)
        first_task[i + 1] =
            first_task[i] + (element_count(call.inputs[i]) + elements_per_task - 1) / elements_per_task;
    parallel_for(first_task[call.input_count], [&](int64_t task) {
        int32_t i = 0;
        while (task >= first_task[i + 1]) ++i;
        const int64_t first = (task - first_task[i]) * elements_per_task;
        const int64_t count = std::min(elements_per_task, element_count(call.inputs[i]) - first);
        cast_piece(call.inputs[i], call.outputs[i], first, count);
    });
}

}  // namespace nativegrad::cpu
