// One replay of a program as JavaScript asks for it: how many steps, with what, into what.
#pragma once

#include <atomic>
#include <vector>

#include "binding/program_access.h"

namespace nativegrad {

struct Replay {
    ProgramRef program;
    int64_t steps;
    std::vector<double> rows;
    std::vector<ProgramInput> inputs;
    std::vector<ProgramOutput> outputs;

    // Ends after the running step once `stop` is set.
    void run(const std::atomic<bool>* stop = nullptr);
    // While in use, access to the tensors from elsewhere waits or is refused.
    void begin_use();
    void end_use();
};

// Replays of several programs, side by side on the threads of the pool. Those that share an arena must be
// neighbours; they run one after the other.
using Replays = std::vector<Replay>;

void run_replays(Replays& replays, const std::atomic<bool>* stop = nullptr);

// Arguments (program or a list of them, steps, rows, stacked); for each program, rows holds the values of its
// slots step by step, and the block the number of inputs and their handles, then the number of tensors for
// the results and theirs. Stacked inputs have one more axis in front, an entry a step. Refuses tensors in
// use.
Replays read_replays(napi_env env, napi_callback_info info);

}  // namespace nativegrad
