#include "cpu/thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "backend/error.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace nativegrad::cpu {

namespace {

void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// False where the system does not let us, or knows no such thing.
bool bind_to(int32_t processor) {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(processor), &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
#else
    static_cast<void>(processor);
    return false;
#endif
}

// One job at a time. Its fields are written while the job is closed and nobody is inside, and read by those
// inside.
class Pool {
  public:
    explicit Pool(const ThreadOptions& options)
        : shares_(new Share[static_cast<size_t>(options.count)]),
          spin_time_(std::chrono::microseconds(options.spin_microseconds)) {
        const size_t processors = options.processors.size();
        try {
            for (int32_t i = 1; i < options.count; ++i) {
                const int32_t processor =
                    processors == 0 ? -1 : options.processors[static_cast<size_t>(i) % processors];
                workers_.emplace_back([this, i, processor] {
                    if (processor >= 0) bind_to(processor);
                    work(i);
                });
            }
        } catch (const std::system_error&) {
            // The system grants no more threads: work with those there are, to the same bits.
        }
    }

    ~Pool() {
        {
            std::lock_guard<std::mutex> lock(sleep_mutex_);
            stopping_.store(true);
            state_.fetch_add(one_job);
        }
        wake_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    void run(int64_t count, Task task, void* context) {
        task_ = task;
        context_ = context;
        failure_ = nullptr;
        const int64_t threads = thread_total();
        for (int64_t thread = 0; thread < threads; ++thread) {
            Share& share = shares_[static_cast<size_t>(thread)];
            // Rounded up, so that the caller has the first task of few.
            share.next.store((count * thread + threads - 1) / threads, std::memory_order_relaxed);
            share.end = (count * (thread + 1) + threads - 1) / threads;
        }
        // Sequentially consistent, as is the sleeper's side: either it sees the job or we see the sleeper.
        state_.store((state_.load(std::memory_order_relaxed) + one_job) | open);
        wake_sleepers(count - 1);
        take_tasks(0);
        // Closing the job here spares us the wait for workers that have not come: they will find nothing to
        // do.
        state_.fetch_and(~open, std::memory_order_acq_rel);
        for (int round = 0; (state_.load(std::memory_order_acquire) & inside) != 0; ++round) {
            if (round < spins_before_yield) {
                pause_briefly();
            } else {
                std::this_thread::yield();
            }
        }
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    // state_: workers inside the job, whether more may come in, the number of the job
    static constexpr uint64_t inside = 0xffffffff, open = uint64_t{1} << 32, one_job = uint64_t{1} << 33;
    static constexpr int spins_before_yield = 4000;

    // Tasks of one thread that nobody has taken yet: [next, end).
    struct alignas(64) Share {
        std::atomic<int64_t> next{0};
        int64_t end = 0;
    };

    static uint64_t job_number(uint64_t state) { return state / one_job; }

    int64_t thread_total() const { return static_cast<int64_t>(workers_.size()) + 1; }

    void wake_sleepers(int64_t wanted) {
        int64_t asleep = sleepers_.load();
        if (asleep == 0) return;
        std::lock_guard<std::mutex> lock(sleep_mutex_);
        for (; asleep > 0 && wanted > 0; --asleep, --wanted) wake_.notify_one();
    }

    // The thread's own tasks, then those of its neighbours.
    void take_tasks(int64_t thread) {
        const int64_t threads = thread_total();
        for (int64_t i = 0; i < threads; ++i) take_from(shares_[static_cast<size_t>((thread + i) % threads)]);
    }

    void take_from(Share& share) {
        for (;;) {
            const int64_t index = share.next.fetch_add(1, std::memory_order_relaxed);
            if (index >= share.end) return;
            try {
                task_(context_, index);
            } catch (...) {
                std::lock_guard<std::mutex> lock(failure_mutex_);
                if (!failure_) failure_ = std::current_exception();
            }
        }
    }

    void work(int64_t thread) {
        uint64_t seen = 0;
        for (;;) {
            wait_for_job(seen);
            if (stopping_.load()) return;
            if (!enter(seen)) continue;
            take_tasks(thread);
            state_.fetch_sub(1, std::memory_order_release);
        }
    }

    // Sets `seen` to the newest job; false when it is closed already.
    bool enter(uint64_t& seen) {
        uint64_t state = state_.load(std::memory_order_relaxed);
        do {
            seen = job_number(state);
            if ((state & open) == 0) return false;
        } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                               std::memory_order_relaxed));
        return true;
    }

    void wait_for_job(uint64_t seen) {
        const auto start = std::chrono::steady_clock::now();
        for (int round = 0; job_number(state_.load(std::memory_order_relaxed)) == seen; ++round) {
            pause_briefly();
            if (round % 64 != 63 || std::chrono::steady_clock::now() - start < spin_time_) continue;
            std::unique_lock<std::mutex> lock(sleep_mutex_);
            sleepers_.fetch_add(1);
            // Who saw the number that the end of the pool has taken, and came too late for its flag, sees the
            // flag here.
            wake_.wait(lock, [&] { return stopping_.load() || job_number(state_.load()) != seen; });
            sleepers_.fetch_sub(1);
            return;
        }
    }

    std::vector<std::thread> workers_;
    std::unique_ptr<Share[]> shares_;
    std::chrono::microseconds spin_time_;
    std::mutex sleep_mutex_, failure_mutex_;
    std::condition_variable wake_;
    std::atomic<uint64_t> state_{0};
    std::atomic<int32_t> sleepers_{0};
    std::atomic<bool> stopping_{false};
    Task task_ = nullptr;
    void* context_ = nullptr;
    std::exception_ptr failure_;
};

struct Shared {
    std::mutex busy;  // held while a job runs
    std::unique_ptr<Pool> pool;
    std::mutex reading;  // options change under both
    ThreadOptions options{0};
    std::atomic<uint64_t> changes{0};  // of the options
    std::atomic<int32_t> threads{0};
};

// Never destroyed: a worker of the pool may still spin when static destructors run.
Shared& shared() {
    static Shared* const instance = new Shared;
    return *instance;
}

thread_local bool inside_task = false;

// Where a thread that is none of the pool's is bound to.
struct Binding {
    uint64_t changes = 0;  // of the options, when it followed them last
#if defined(__linux__)
    bool is_bound = false;
    cpu_set_t free;  // where it may run while it is not bound

    void follow(const std::vector<int32_t>& processors) {
        const pthread_t thread = pthread_self();
        if (!processors.empty()) {
            if (!is_bound && pthread_getaffinity_np(thread, sizeof free, &free) != 0) return;
            is_bound = bind_to(processors[0]) || is_bound;
        } else if (is_bound) {
            is_bound = pthread_setaffinity_np(thread, sizeof free, &free) != 0;
        }
    }
#else
    void follow(const std::vector<int32_t>&) {}
#endif
};

void require_processor(int32_t processor) {
#if defined(__linux__)
    cpu_set_t set;
    if (processor >= 0 && processor < CPU_SETSIZE && sched_getaffinity(0, sizeof set, &set) == 0 &&
        CPU_ISSET(static_cast<size_t>(processor), &set))
        return;
    fail("[setThreads] processor %d is not one that this process may run on", processor);
#else
    fail("[setThreads] threads cannot be bound to processor %d on this system", processor);
#endif
}

}  // namespace

int32_t default_thread_count() {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

int32_t thread_count() {
    Shared& s = shared();
    if (s.threads.load() == 0) s.threads.store(default_thread_count());
    return s.threads.load();
}

ThreadOptions thread_options() {
    const int32_t count = thread_count();
    Shared& s = shared();
    std::lock_guard<std::mutex> lock(s.reading);
    ThreadOptions options = s.options;
    options.count = count;
    return options;
}

void set_thread_options(const ThreadOptions& options) {
    for (const int32_t processor : options.processors) require_processor(processor);
    Shared& s = shared();
    std::lock_guard<std::mutex> lock(s.busy);
    std::lock_guard<std::mutex> writing(s.reading);
    // New threads would have to find a processor of their own first, which takes a busy system tens of
    // milliseconds.
    if (options == s.options) return;
    s.options = options;
    s.threads.store(options.count);
    s.changes.fetch_add(1);
    s.pool.reset();
}

void bind_calling_thread() {
    thread_local Binding binding;
    const uint64_t changes = shared().changes.load();
    if (binding.changes == changes) return;
    binding.changes = changes;
    binding.follow(thread_options().processors);
}

void run_tasks(int64_t count, Task task, void* context) {
    Shared& s = shared();
    const bool worthwhile = count > 1 && !inside_task && thread_count() > 1;
    std::unique_lock<std::mutex> lock(s.busy, std::defer_lock);
    if (!worthwhile || !lock.try_lock()) {
        for (int64_t i = 0; i < count; ++i) task(context, i);
        return;
    }
    if (!s.pool) s.pool = std::make_unique<Pool>(thread_options());
    inside_task = true;
    try {
        s.pool->run(count, task, context);
    } catch (...) {
        inside_task = false;
        throw;
    }
    inside_task = false;
}

}  // namespace nativegrad::cpu
