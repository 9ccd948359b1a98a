// One replay of a program as JavaScript asks for it: how many steps, with what, into what.
#pragma once

#include <atomic>
#include <exception>
#include <vector>

#include "binding/program_access.h"

namespace nativegrad {

struct Replay {
    ProgramRef program;
    int64_t steps;
    std::vector<double> rows;
    std::vector<ProgramInput> inputs;
    std::vector<ProgramOutput> outputs;
    int64_t steps_done = 0;
    std::exception_ptr failure = nullptr;

    // Keeps what was thrown in `failure`. Ends after the running step once `stop` is set.
    void run(const std::atomic<bool>* stop = nullptr) noexcept;
    // The same in two parts, for programs that run beside each other on a device.
    void start(bool beside, const std::atomic<bool>* stop) noexcept;
    void finish() noexcept;
    // For a run with others: its first steps, until it has a graph.
    void start_alone() noexcept;
    // While in use, access to the tensors from elsewhere waits or is refused.
    void begin_use();
    void end_use();
};

// Positions of the programs in groups that can run side by side; those that share an arena are in one group,
// which runs one after the other.
std::vector<std::vector<size_t>> groups_apart(const std::vector<const Program*>& programs);

// Replays of several programs, side by side on the threads of the pool where they can.
using Replays = std::vector<Replay>;

// Runs all of them to their ends, whatever becomes of the others; throws what the first one that failed
// threw.
void run_replays(Replays& replays, const std::atomic<bool>* stop = nullptr);

// The error that the replays ended with, with how many whole steps each of them did as the list `stepsDone`.
void note_steps_done(napi_env env, napi_value error, const Replays& replays);

// Arguments (program or a list of them, steps, rows, stacked); for each program, rows holds the values of its
// slots step by step, and the block the number of inputs and their handles, then the number of tensors for
// the results and theirs. Stacked inputs have one more axis in front, an entry a step. Refuses tensors in
// use.
Replays read_replays(napi_env env, napi_callback_info info);

}  // namespace nativegrad
