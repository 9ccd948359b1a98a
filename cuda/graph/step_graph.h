// A program as a graph: a step is one launch. In a run of many steps, the host only launches: inputs, results
// and the numbers that change are taken from lists that went to the device before the first one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/graphs.h"
#include "backend/queue.h"
#include "graph/graph_memory.h"
#include "graph/live_values.h"
#include "graph/step_copies.h"
#include "graph/work_memory.h"

namespace nativegrad::cuda {

class StepGraph {
  public:
    StepGraph(Queue& root, const GraphPlan& plan);
    ~StepGraph();
    StepGraph(const StepGraph&) = delete;
    StepGraph& operator=(const StepGraph&) = delete;

    // What the calls are given to, and what the view of input i points at.
    Queue& queue() { return queue_; }
    void* input(size_t i) const { return inputs_->data() + places_[i] - input_spans_[i].first; }
    int ordinal() const { return root_.ordinal(); }

    // As in backend/graphs.h.
    void warm(const GraphRun& first);
    void record();
    void finish();
    int64_t run(const GraphRun& run, bool (*stop)(const void*), const void* owner);
    void join();

  private:
    // A stream that goes on from where the queue is now.
    Stream fork();
    // Copies of steps first, first + 1, ... of a run, and where their list is told to lie. Without a run,
    // only numbers and sizes are right.
    struct Copies {
        std::vector<StepCopy> list;
        StepCopyList at;
    };
    Copies copies_of(const GraphRun* run, int64_t first, char* lists) const;
    // Lists begin with the counter; copies and rows follow.
    static constexpr size_t copies_offset = sizeof(StepCounter);
    size_t rows_offset() const;
    // Counter and copies, as they shall lie at `lists`.
    void write_head(char* to, const GraphRun& run, int64_t first, char* lists) const;
    // Steps whose rows are on the device; returns how many were given.
    int64_t launch_steps(int64_t count, Stream stream, bool (*stop)(const void*), const void* owner);
    void forget_capture();

    Queue& root_;
    const std::vector<GraphInput> input_spans_;
    const std::vector<GraphResult> results_;
    LiveValues live_;
    WorkMemory work_;
    Queue queue_;

    std::vector<size_t> places_;  // of the inputs in their block
    std::unique_ptr<Block> inputs_, lists_, live_block_, work_block_;
    size_t row_bytes_ = 0;
    int64_t most_rows_ = 0;

    Stream capturing_;
    GraphExec exec_;
    Upload upload_;

    // Of steps beside those of other graphs.
    Stream own_;
    Event forked_, ended_;
    bool is_apart_ = false;
};

}  // namespace nativegrad::cuda
