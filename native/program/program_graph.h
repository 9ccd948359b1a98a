// How a program runs on a backend that takes it as a whole: its first step call by call, the next ones as a
// graph, or call by call where that cannot be, with the reason.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "backend/graphs.h"
#include "program/program.h"

namespace nativegrad {

class ProgramGraph {
  public:
    explicit ProgramGraph(Program& program);
    ~ProgramGraph();
    ProgramGraph(const ProgramGraph&) = delete;
    ProgramGraph& operator=(const ProgramGraph&) = delete;

    enum class State { fresh, warmed, ready, refused };
    State state() const { return state_; }

    // Where the calls go while they are warmed and recorded, and what the view of input i points at.
    DeviceQueue queue() const { return {where_.ordinal, queue_}; }
    void* input(size_t i) const { return inputs_[i]; }

    // Each of these may end in `refused`, when what was begun is undone.
    // Prepares for a step whose calls run at once; true where they go to queue().
    bool begin_warm(const GraphRun& first);
    // The step has run, or failed.
    void end_warm(bool has_run);
    // Prepares for calls that are recorded; then the calls; then the end of it.
    bool begin_record();
    bool end_record();
    void refuse(const std::string& reason);

    // Adds the number of steps given, which still run, to `done`; also where it throws Error.
    void run(const GraphRun& run, const std::atomic<bool>* stop, int64_t& done);
    // After steps that were given beside those of others.
    void join();

    // Of a graph that is ready: the calls between the two are noted. Each throws Error.
    void begin_notes();
    void end_notes();
    void forget_notes() { is_noted_ = false; }
    bool is_noted() const { return is_noted_; }
    void* handle() const { return graph_; }
    const GraphTable& table() const { return *table_; }

  private:
    void make();
    void forget();

    Program& program_;
    const GraphTable* table_;
    DeviceQueue where_;
    State state_ = State::fresh;
    std::vector<GraphInput> spans_;
    std::vector<GraphResult> results_;
    void* graph_ = nullptr;
    bool is_noted_ = false;
    void* queue_ = nullptr;
    std::vector<void*> inputs_;
};

}  // namespace nativegrad
