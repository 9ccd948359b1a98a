#include "program/joint_programs.h"

#include "backend/error.h"
#include "program/program.h"

namespace nativegrad {

JointPrograms::JointPrograms(const std::vector<std::shared_ptr<ProgramGraph>>& members)
    : table_(members.front()->table()), members_(members.begin(), members.end()) {
    std::vector<void*> graphs;
    for (const auto& member : members) graphs.push_back(member->handle());
    ErrorMessage apart{}, error{};
    const auto count = static_cast<int32_t>(graphs.size());
    if (table_.combine(graphs.data(), count, &joint_, &apart, &error) == 0) {
        apart_ = apart.text;
        return;
    }
    joint_ = nullptr;
    reason_ = error.text;
}

JointPrograms::JointPrograms(const std::vector<std::shared_ptr<ProgramGraph>>& members, std::string reason)
    : table_(members.front()->table()),
      members_(members.begin(), members.end()),
      reason_(std::move(reason)) {}

JointPrograms::~JointPrograms() {
    if (joint_ != nullptr) table_.free_joint(joint_);
}

bool JointPrograms::is_of(const std::vector<std::shared_ptr<ProgramGraph>>& members) const {
    if (members.size() != members_.size()) return false;
    for (size_t i = 0; i < members.size(); ++i) {
        if (members_[i].lock() != members[i]) return false;
    }
    return true;
}

std::string JointPrograms::execution() const {
    if (joint_ == nullptr) return "graph beside those of the other models, since " + reason_;
    const std::string text = "graph of " + std::to_string(members_.size()) + " models";
    return apart_.empty() ? text : text + ", apart: " + apart_;
}

void JointPrograms::run(const std::vector<GraphRun>& runs, const std::atomic<bool>* stop, int64_t& given) {
    const auto is_stopped = [](const void* owner) {
        return static_cast<const std::atomic<bool>*>(owner)->load(std::memory_order_relaxed);
    };
    ErrorMessage error{};
    given = 0;
    require_ok(
        table_.run_joint(joint_, runs.data(), stop == nullptr ? nullptr : +is_stopped, stop, &given, &error),
        error);
}

void Program::start_alone(const Run& run, int64_t& done) {
    using State = ProgramGraph::State;
    while (done < run.steps && nanoseconds.empty()) {
        if (graph_ == nullptr) graph_ = std::make_shared<ProgramGraph>(*this);
        if (graph_->state() == State::warmed) record_step();
        if (graph_->state() != State::fresh) return;
        lead(done);
        done += warm_step(run, done);
    }
}

void Program::note_calls() {
    if (graph_->is_noted()) return;
    graph_->begin_notes();
    try {
        run_calls_in_graph();
    } catch (const Error&) {
        try {
            graph_->end_notes();
        } catch (const Error&) {
            // The first error says more.
        }
        graph_->forget_notes();
        throw;
    }
    graph_->end_notes();
}

bool Program::start_joint(const std::vector<Part>& parts, const std::atomic<bool>* stop) {
    std::vector<std::shared_ptr<ProgramGraph>> members;
    const int64_t done = *parts.front().done, steps = parts.front().run.steps;
    for (const auto& [program, run, own_done] : parts) {
        const auto& graph = program->graph_;
        if (!program->nanoseconds.empty() || graph == nullptr || *own_done != done || done == steps)
            return false;
        if (graph->state() != ProgramGraph::State::ready) return false;
        members.push_back(graph);
    }
    std::shared_ptr<JointPrograms>& joint = parts.front().program->joint_;
    if (joint == nullptr || !joint->is_of(members)) {
        joint.reset();
        try {
            for (const Part& part : parts) part.program->note_calls();
            joint = std::make_shared<JointPrograms>(members);
        } catch (const Error& error) {
            joint = std::make_shared<JointPrograms>(members, error.what());
        }
        for (const Part& part : parts) part.program->note_execution(joint->execution());
    }
    if (!joint->is_ready()) return false;
    std::vector<GraphArguments> arguments;
    std::vector<GraphRun> runs;
    for (const Part& part : parts) arguments.push_back(part.program->graph_arguments(part.run, done));
    for (size_t i = 0; i < parts.size(); ++i) {
        const auto& [program, run, own_done] = parts[i];
        const auto values = static_cast<int64_t>(program->changing_slots.size());
        runs.push_back({steps - done, run.rows + done * values, arguments[i].sources.data(),
                        arguments[i].outputs.data(), false});
    }
    for (const Part& part : parts) part.program->lead(done);
    int64_t given = 0;
    const auto count_given = [&] {
        for (const Part& part : parts) *part.done += given;
    };
    try {
        joint->run(runs, stop, given);
    } catch (const Error&) {
        count_given();
        throw;
    }
    count_given();
    return true;
}

}  // namespace nativegrad
