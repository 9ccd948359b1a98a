// A kernel that waits for the host keeps the rest of its stream waiting.
#include "runtime/stream_hold.h"

#include <atomic>
#include <mutex>
#include <vector>

#include "backend/error.h"
#include "runtime/check_cuda.h"

namespace nativegrad::cuda {

namespace {

// In page-locked memory, which the kernel reads across the bus.
struct Flag {
    volatile uint32_t is_free, has_waited;
};

// The clock goes on whatever happens to the host, at no more than this many cycles a millisecond.
constexpr int64_t cycles_per_ms = 2'000'000;

// flag [1]; one lane
__global__ void wait_for_host(Flag* flag, int64_t most_cycles) {
    const int64_t start = clock64();
    while (flag->is_free == 0) {
        if (clock64() - start > most_cycles) return;
        __nanosleep(200);
    }
    flag->has_waited = 1;
}

// Kept for later ones, and never given back: threads may hold streams while the process ends.
struct Flags {
    std::mutex mutex;
    std::vector<Flag*> free;
};
Flags& flags() {
    static Flags* const instance = new Flags;
    return *instance;
}

Flag* take_flag() {
    Flags& all = flags();
    const std::lock_guard lock(all.mutex);
    if (all.free.empty()) {
        constexpr size_t count = 64;
        auto* made = static_cast<Flag*>(allocate_host(count * sizeof(Flag)));
        if (made == nullptr) return nullptr;
        for (size_t i = 0; i < count; ++i) all.free.push_back(made + i);
    }
    Flag* const flag = all.free.back();
    all.free.pop_back();
    flag->is_free = flag->has_waited = 0;
    return flag;
}

void put_back(Flag* flag) {
    Flags& all = flags();
    const std::lock_guard lock(all.mutex);
    all.free.push_back(flag);
}

struct HoldState {
    Flag* flag;
    Event end;
};

// Where each launch waits for its kernel (CUDA_LAUNCH_BLOCKING, sanitizers), holding only costs time.
std::atomic<bool> launches_wait{false};

}  // namespace

Hold hold(Stream stream) {
    if (launches_wait) return {};
    Flag* const flag = take_flag();
    if (flag == nullptr) return {};
    Event end;
    try {
        end = create_event();
        const auto most_cycles = static_cast<int64_t>(longest_hold_ms) * cycles_per_ms;
        wait_for_host<<<1, 1, 0, native(stream.handle)>>>(flag, most_cycles);
        check(cudaGetLastError(), "hold");
        record(end, stream);
    } catch (...) {
        // The flag is lost: a kernel may look at it.
        flag->is_free = 1;
        throw;
    }
    if (is_done(end)) launches_wait = true;
    return {new HoldState{flag, end}};
}

bool end_hold(Hold hold) {
    auto* const state = static_cast<HoldState*>(hold.handle);
    const HoldState ended = *state;
    delete state;
    ended.flag->is_free = 1;
    synchronize(ended.end);
    const bool has_waited = ended.flag->has_waited != 0;
    destroy(ended.end);
    put_back(ended.flag);
    return has_waited;
}

}  // namespace nativegrad::cuda
