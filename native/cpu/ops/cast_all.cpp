#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/ops/low_copy.h"
#include "cpu/thread_pool.h"
#include "ops/cast_checks.h"

namespace nativegrad::cpu {

namespace {

constexpr int64_t elements_per_task = 16 * block_size;
constexpr int32_t most_tensors = 64;

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
        write_low_copy(call.inputs[i], call.outputs[i], first, count);
    });
}

}  // namespace nativegrad::cpu
