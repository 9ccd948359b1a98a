// cuda_sim_test [--seeds N] [--time] [--no-clock] [name...]: one line "ok NAME" or "FAILED NAME seed S: why"
// for each test. --no-clock leaves out those of the device's times. --cublaslt FILE_OR_FOLDER: what opens of
// that, or with "" of the usual places.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gemm/cublaslt.h"
#include "sim/test/check.h"
#ifdef NATIVEGRAD_SIM
#include "sim/control.h"
#endif

namespace nativegrad::cuda::test {

std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

namespace {

void begin(uint64_t seed) {
#ifdef NATIVEGRAD_SIM
    sim::forget_errors();
    sim::setup() = sim::Setup{};
    sim::setup().seed = seed;
#else
    (void)seed;
#endif
}

std::string failure_of(const Test& test, uint64_t seed) {
    begin(seed);
    try {
        test.run();
    } catch (const std::exception& error) {
        return error.what()[0] != 0 ? error.what() : "unnamed error";
    }
    return {};
}

bool passes(const Test& test, uint64_t seeds) {
    for (uint64_t seed = 0; seed < seeds; ++seed) {
        const std::string why = failure_of(test, seed);
        if (why.empty()) continue;
        std::printf("FAILED %s seed %llu: %s\n", test.name, static_cast<unsigned long long>(seed),
                    why.c_str());
        return false;
    }
    std::printf("ok %s\n", test.name);
    return true;
}

bool is_chosen(const Test& test, const std::vector<std::string>& names, bool has_clock) {
    if (test.kind == Kind::by_clock && !has_clock) return false;
    if (names.empty()) return test.kind != Kind::by_name_only;
    return std::find(names.begin(), names.end(), test.name) != names.end();
}

int print_probe() {
    const Probe found = probe();
    std::printf("devices %d, driver %s (CUDA %d), runtime %d\n%s\n", found.device_count,
                found.driver_release.c_str(), found.driver_version, found.runtime_version,
                found.message.c_str());
    return found.state == Availability::ready ? 0 : 3;
}

int print_cublaslt(const char* path) {
    name_cublaslt(path, "");
    const LibraryState state = load_cublaslt();
    std::printf("%s %zu\n%s\n", state.path.c_str(), state.version, state.message.c_str());
    return state.ready ? 0 : 3;
}

}  // namespace
}  // namespace nativegrad::cuda::test

int main(int count, char** words) {
    using namespace nativegrad::cuda::test;
#ifdef NATIVEGRAD_SIM
    uint64_t seeds = 20;
#else
    uint64_t seeds = 1;  // a GPU takes no seed
#endif
    bool timed = false, has_clock = true;
    std::vector<std::string> names;
    for (int i = 1; i < count; ++i) {
        if (std::strcmp(words[i], "--seeds") == 0 && i + 1 < count) {
            seeds = std::strtoull(words[++i], nullptr, 10);
        } else if (std::strcmp(words[i], "--time") == 0) {
            timed = true;
        } else if (std::strcmp(words[i], "--no-clock") == 0) {
            has_clock = false;
        } else if (std::strcmp(words[i], "--probe") == 0) {
            return print_probe();
        } else if (std::strcmp(words[i], "--cublaslt") == 0 && i + 1 < count) {
            return print_cublaslt(words[i + 1]);
        } else {
            names.push_back(words[i]);
        }
    }
    int failed = 0, ran = 0;
    for (const Test& test : tests()) {
        if (!is_chosen(test, names, has_clock)) continue;
        const auto start = std::chrono::steady_clock::now();
        failed += passes(test, seeds) ? 0 : 1;
        ++ran;
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (timed) std::printf("time %s %.3f\n", test.name, seconds);
        std::fflush(stdout);
    }
    return failed > 0 || ran == 0 ? 1 : 0;
}
