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
#include "runtime/launch_notes.h"
#include "runtime/owned.h"

namespace nativegrad::cuda {

// The executable form of what was captured, with all that a launch wants of the device: where memory is
// short, this fails, and no step of a run.
Owned<GraphExec> ready_graph(const Owned<Graph>& captured, Stream stream);

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
    void run(const GraphRun& run, bool (*stop)(const void*), const void* owner, int64_t& given);
    void join();

    // The calls that follow are noted once more, as they are in the graph.
    void begin_notes();
    void end_notes();
    const std::vector<LaunchNote>& notes() const { return notes_; }

    // Where the copies of a step find what they need: the counter with the list of copies behind it, and the
    // first row.
    struct ListPlace {
        char* head;
        char* rows;
        int64_t row_step;
    };
    // Bytes of the counter and the copies.
    size_t head_bytes() const { return rows_offset(); }
    const LiveValues& live() const { return live_; }
    Queue& root() const { return root_; }
    StepCopyList copy_list(const ListPlace& at) const { return copies_of(nullptr, 0, at).at; }
    // Counter and copies of the steps from `first` on, as they shall lie at at.head.
    void write_head(char* to, const GraphRun& run, int64_t first, const ListPlace& at) const;

  private:
    // A stream that goes on from where the queue is now.
    Stream fork();
    // Copies of steps first, first + 1, ... of a run, and where their list is told to lie. Without a run,
    // only numbers and sizes are right.
    struct Copies {
        std::vector<StepCopy> list;
        StepCopyList at;
    };
    Copies copies_of(const GraphRun* run, int64_t first, const ListPlace& lists) const;
    ListPlace own_place() const { return place_at(lists_->data()); }
    ListPlace place_at(char* lists) const {
        return {lists, lists + rows_offset(), static_cast<int64_t>(row_bytes_)};
    }
    // Lists begin with the counter; copies and rows follow.
    static constexpr size_t copies_offset = sizeof(StepCounter);
    size_t rows_offset() const;
    // Up to `count` steps whose rows are on the device, each of which `given` counts.
    void launch_steps(int64_t count, Stream stream, bool (*stop)(const void*), const void* owner,
                      int64_t& given);
    void forget_capture();

    Queue& root_;
    const std::vector<GraphInput> input_spans_;
    const std::vector<GraphResult> results_;
    LiveValues live_;
    WorkMemory work_;
    Queue queue_;

    std::vector<size_t> places_;  // of the inputs in their block
    std::unique_ptr<Block> inputs_, lists_, live_block_, work_block_;
    size_t row_bytes_ = 0, work_bytes_ = 0;
    int64_t most_rows_ = 0;

    Stream capturing_;
    Owned<GraphExec> exec_;
    Upload upload_;
    std::unique_ptr<LaunchNotes> noting_;
    std::vector<LaunchNote> notes_;

    // Of steps beside those of other graphs.
    Owned<Stream> own_;
    Owned<Event> forked_, ended_;
    bool is_apart_ = false;
};

}  // namespace nativegrad::cuda
