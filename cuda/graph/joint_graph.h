// The steps of several programs as one graph: one launch a step, one list of numbers for all of them.
#pragma once

#include <memory>
#include <vector>

#include "graph/joint_launches.h"
#include "graph/step_graph.h"
#include "runtime/owned.h"

namespace nativegrad::cuda {

class JointGraph {
  public:
    // Of graphs whose calls were noted; they live while this one runs, and share their queue.
    explicit JointGraph(std::vector<StepGraph*> members);
    JointGraph(const JointGraph&) = delete;
    JointGraph& operator=(const JointGraph&) = delete;

    int ordinal() const { return root_.ordinal(); }
    // What takes more than one launch for all in a step.
    std::string apart() const { return step_->apart(); }
    // runs: one of each member, with as many steps; given: as in backend/graphs.h, also where it throws.
    void run(const GraphRun* runs, bool (*stop)(const void*), const void* owner, int64_t& given);

  private:
    void place_lists();
    void make_launches();
    void capture();
    // Heads and rows of `count` steps from `first` on, as they shall lie on the device.
    void write_lists(char* to, const GraphRun* runs, int64_t first, int64_t count) const;

    const std::vector<StepGraph*> members_;
    Queue& root_;
    std::vector<size_t> heads_, rows_;  // of each member: its head in the lists, its numbers in a row
    std::vector<StepGraph::ListPlace> places_;
    size_t head_bytes_ = 0, row_bytes_ = 0;
    int64_t most_rows_ = 0;
    std::unique_ptr<Block> lists_, arguments_;
    std::unique_ptr<JointLaunches> step_, end_;
    Owned<GraphExec> exec_;
    Upload upload_;
};

}  // namespace nativegrad::cuda
