#include "sim/delays.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "sim/control.h"

namespace nativegrad::cuda::sim {

namespace {

struct LateCopy {
    double done;
    void* host;
    std::vector<char> elements;
};

// In the order in which they were asked for.
std::vector<LateCopy>& late_copies() {
    static std::vector<LateCopy>* const copies = new std::vector<LateCopy>;
    return *copies;
}

void deliver(double until) {
    std::vector<LateCopy>& copies = late_copies();
    const auto is_due = [&](const LateCopy& copy) { return copy.done <= until; };
    for (const LateCopy& copy : copies) {
        if (is_due(copy)) std::memcpy(copy.host, copy.elements.data(), copy.elements.size());
    }
    copies.erase(std::remove_if(copies.begin(), copies.end(), is_due), copies.end());
}

}  // namespace

double now_ms() {
    using namespace std::chrono;
    return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

void sleep_on_host(double milliseconds) {
    if (milliseconds > 0)
        std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds));
}

double done_after(double busy_until) {
    const double slow = setup().slow_ms;
    return slow > 0 ? std::max(busy_until, now_ms()) + slow : 0;
}

void copy_to_host_at(double done, void* host, const void* from, size_t bytes) {
    if (done <= 0) {
        std::memcpy(host, from, bytes);
        return;
    }
    const char* first = static_cast<const char*>(from);
    late_copies().push_back({done, host, {first, first + bytes}});
    std::memset(host, 0xdb, bytes);
}

void wait_until(double done, std::unique_lock<std::recursive_mutex>& lock) {
    while (now_ms() < done) {
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(done - now_ms()));
        lock.lock();
    }
    deliver(done);
}

bool is_past(double done) {
    if (now_ms() < done) return false;
    deliver(done);
    return true;
}

}  // namespace nativegrad::cuda::sim
