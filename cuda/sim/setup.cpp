#include <cstdlib>

#include "backend/error.h"
#include "sim/control.h"
#include "sim/device_state.h"
#include "sim/heap.h"

namespace nativegrad::cuda::sim {

namespace {

size_t parse_bytes(const std::string& text) {
    char* end = nullptr;
    size_t bytes = std::strtoull(text.c_str(), &end, 10);
    for (const char* unit = "KMG"; *unit != 0; ++unit) {
        bytes <<= *end != 0 ? 10 : 0;
        if (*end == *unit) return bytes;
    }
    return *end == 0 ? bytes : 0;
}

Availability parse_fault(const std::string& word) {
    if (word == "no_driver") return Availability::no_driver;
    if (word == "driver_too_old") return Availability::driver_too_old;
    if (word == "no_device") return Availability::no_device;
    if (word == "hidden_by_environment") return Availability::hidden_by_environment;
    fail("[cuda_sim] unknown fault '%s'", word.c_str());
}

void apply_word(Setup& setup, const std::string& name, const std::string& value) {
    if (name == "seed") {
        setup.seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "devices") {
        setup.devices = std::atoi(value.c_str());
        if (setup.devices < 1 || setup.devices > heap_devices)
            fail("[cuda_sim] devices must be 1 to %d", heap_devices);
    } else if (name == "memory") {
        setup.memory_bytes = parse_bytes(value);
        if (setup.memory_bytes == 0) fail("[cuda_sim] memory takes bytes, or a number with K, M or G");
    } else if (name == "slow") {
        setup.slow_ms = std::atof(value.c_str());
    } else if (name == "launch_cost") {
        setup.launch_cost_ms = std::atof(value.c_str());
    } else if (name == "failing_launch") {
        setup.failing_launch = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "built_for") {
        setup.built_for = value;
    } else if (name == "code") {
        setup.code_bytes = parse_bytes(value);
    } else if (name == "graph_room") {
        setup.graph_room = std::atoll(value.c_str());
    } else if (name == "capability") {
        setup.capability = std::atoi(value.c_str());
    } else if (name == "block_races") {
        setup.block_races = value != "0";
    } else if (name == "timed") {
        setup.timed = value != "0";
    } else if (name == "patience") {
        setup.patience = std::strtoull(value.c_str(), nullptr, 10);
        if (setup.patience == 0) fail("[cuda_sim] patience takes a number of accesses and meetings");
    } else if (name == "fault" && value == "no_cublaslt") {
        setup.cublaslt_missing = true;
    } else if (name == "fault" && value == "no_algorithm") {
        setup.no_algorithm = true;
    } else if (name == "fault" && value == "no_graph") {
        setup.no_graph = true;
    } else if (name == "fault") {
        setup.fault = parse_fault(value);
    } else {
        fail("[cuda_sim] unknown setup word '%s'", name.c_str());
    }
}

Setup from_environment() {
    Setup setup;
    if (const char* seed = std::getenv("NATIVEGRAD_CUDA_SIM_SEED")) apply_word(setup, "seed", seed);
    return setup;
}

}  // namespace

Setup& setup() {
    static Setup setup = [] {
        Setup made = from_environment();
        return made;
    }();
    // Outside of the initializer: it may throw, and then throws at each call.
    static bool read = false;
    if (!read) {
        if (const char* words = std::getenv("NATIVEGRAD_CUDA_SIM_SETUP")) {
            read = true;
            try {
                apply_setup(words);
            } catch (...) {
                read = false;
                throw;
            }
        }
        read = true;
    }
    return setup;
}

void apply_setup(const std::string& words) {
    Setup changed = setup();
    for (size_t at = 0; at < words.size();) {
        const size_t end = words.find(',', at) == std::string::npos ? words.size() : words.find(',', at);
        const std::string word = words.substr(at, end - at);
        const size_t equals = word.find('=');
        if (equals == std::string::npos) fail("[cuda_sim] setup takes name=value, not '%s'", word.c_str());
        apply_word(changed, word.substr(0, equals), word.substr(equals + 1));
        at = end + 1;
    }
    setup() = changed;
}

void forget_errors() {
    for (int device = 0; device < heap_devices; ++device) device_state(device).sticky.clear();
}

}  // namespace nativegrad::cuda::sim

void nativegrad_cuda_sim_set_seed(uint64_t seed) { nativegrad::cuda::sim::setup().seed = seed; }
void nativegrad_cuda_sim_forget_errors() { nativegrad::cuda::sim::forget_errors(); }
