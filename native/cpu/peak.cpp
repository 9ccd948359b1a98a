#include "cpu/peak.h"

#include <chrono>
#include <vector>

#include "cpu/kernel_table.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

double measure_peak(double seconds) {
    using Clock = std::chrono::steady_clock;
    constexpr int64_t rounds = 200000;
    const int64_t threads = thread_count();
    std::vector<float> sinks(static_cast<size_t>(threads * 16));
    double best = 0;
    const auto start = Clock::now();
    do {
        std::vector<double> operations(static_cast<size_t>(threads));
        const auto begin = Clock::now();
        parallel_for(threads, [&](int64_t i) {
            operations[static_cast<size_t>(i)] =
                kernels().peak.multiply_add(rounds, &sinks[static_cast<size_t>(i * 16)]);
        });
        const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
        double total = 0;
        for (const double count : operations) total += count;
        if (total / elapsed > best) best = total / elapsed;
    } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
    return best * 1e-9;
}

}  // namespace nativegrad::cpu
