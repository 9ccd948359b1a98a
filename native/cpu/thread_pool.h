// Process-wide thread pool. Work is cut by shape alone, so results do not depend on how many threads take
// part.
#pragma once

#include <cstdint>
#include <functional>

namespace nativegrad::cpu {

using Task = void (*)(void* context, int64_t index);

// Calls task(context, i) for every i in [0, count), on the calling thread and the pool's workers. A pool that
// is busy with another environment's work, or a count of 1, runs inline: the same results, in order.
void run_tasks(int64_t count, Task task, void* context);

template <class Function>
void parallel_for(int64_t count, const Function& function) {
    run_tasks(
        count, [](void* context, int64_t index) { (*static_cast<const Function*>(context))(index); },
        const_cast<Function*>(&function));
}

// Threads that take part, the caller included.
int32_t thread_count();
void set_thread_count(int32_t count);
int32_t default_thread_count();

}  // namespace nativegrad::cpu
