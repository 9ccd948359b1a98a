// What tests tell the simulator. The library reads NATIVEGRAD_CUDA_SIM_SEED and NATIVEGRAD_CUDA_SIM_SETUP
// once, when it is loaded; the setup is a list like "devices=1,memory=64M,fault=no_driver".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/runtime.h"

namespace nativegrad::cuda::sim {

struct Setup {
    uint64_t seed = 0;  // of the order of blocks and lanes; 0 is the natural order
    int devices = 2;
    size_t memory_bytes = size_t{8} << 30;  // of each device
    int capability = 90;
    std::string built_for;  // architectures that kernels are said to be compiled for; empty is all
    size_t code_bytes = 0;  // free memory that the first launch of each kernel wants for its code
    Availability fault = Availability::ready;
    bool cublaslt_missing = false;
    bool timed = false;              // products are timed, as if that meant something
    bool no_algorithm = false;       // cuBLASLt has none for any product
    bool no_graph = false;           // none can be instantiated
    int64_t graph_room = INT64_MAX;  // executable graphs that the device has room for at a time
    double slow_ms = 0;              // what each piece of work on a stream takes
    double launch_cost_ms = 0;       // what giving a stream a piece of work takes the host
    uint64_t failing_launch = 0;  // this launch, counted from 1, fails as an illegal access would; 0 is none
    bool block_races = true;      // whether they are looked for
    // Accesses and meetings of a block without the end of a lane, after which it counts as endless: half a
    // minute.
    uint64_t patience = uint64_t{1} << 32;
};

Setup& setup();
// Throws nativegrad::Error for a word it does not know.
void apply_setup(const std::string& words);
// Forgets sticky errors, as a new process would.
void forget_errors();
// Kernels run since the library was loaded.
uint64_t launch_count();

}  // namespace nativegrad::cuda::sim

// For tests that load the library: the seed from here on.
extern "C" __attribute__((visibility("default"))) void nativegrad_cuda_sim_set_seed(uint64_t seed);
extern "C" __attribute__((visibility("default"))) void nativegrad_cuda_sim_forget_errors();
