// Process-wide thread pool. Work is cut by shape alone, so results do not depend on how many threads take
// part. Each thread has a run of neighbouring tasks of its own, the same for the same count, so that what one
// call wrote lies in the cache of the thread that the next call gives it to; who is done takes from the
// others.
#pragma once

#include <cstdint>
#include <vector>

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

struct ThreadOptions {
    int32_t count;                         // that take part, the caller included
    int32_t spin_microseconds = 100;       // a worker waits so long for the next job before it sleeps
    std::vector<int32_t> processors = {};  // worker i runs on processor i (modulo) only; empty: on any

    bool operator==(const ThreadOptions& other) const {
        return count == other.count && spin_microseconds == other.spin_microseconds &&
               processors == other.processors;
    }
};

int32_t thread_count();
ThreadOptions thread_options();
// Takes effect at once; a running job ends first. Throws Error for a processor that we may not use.
void set_thread_options(const ThreadOptions& options);
int32_t default_thread_count();

// Binds the calling thread to the first of the processors of the options; where there are none any more, it
// may run again where it could before. Costs next to nothing while the options stay.
void bind_calling_thread();

}  // namespace nativegrad::cpu
