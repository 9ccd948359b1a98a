// Several programs of one device whose steps are one graph.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "program/program_graph.h"

namespace nativegrad {

class JointPrograms {
  public:
    // Members are noted. Where they cannot be put together, `reason` says why.
    explicit JointPrograms(const std::vector<std::shared_ptr<ProgramGraph>>& members);
    // Of members that could not be noted.
    JointPrograms(const std::vector<std::shared_ptr<ProgramGraph>>& members, std::string reason);
    ~JointPrograms();
    JointPrograms(const JointPrograms&) = delete;
    JointPrograms& operator=(const JointPrograms&) = delete;

    // Whether it is of these, in this order.
    bool is_of(const std::vector<std::shared_ptr<ProgramGraph>>& members) const;
    bool is_ready() const { return joint_ != nullptr; }
    // What the statistics say of its programs.
    std::string execution() const;
    // given: the number of steps given, also where it throws Error.
    void run(const std::vector<GraphRun>& runs, const std::atomic<bool>* stop, int64_t& given);

  private:
    const GraphTable& table_;
    // Not owned: one of them may own this.
    std::vector<std::weak_ptr<ProgramGraph>> members_;
    void* joint_ = nullptr;
    std::string reason_, apart_;
};

}  // namespace nativegrad
