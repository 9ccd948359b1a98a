#include "program/program_graph.h"

#include <algorithm>

#include "backend/error.h"

namespace nativegrad {

namespace {

// The bytes that the elements of a view cover, and where they begin.
GraphInput span_of(const TensorView& view) {
    const auto item = static_cast<int64_t>(item_size(view.dtype));
    if (element_count(view) == 0) return {0, 0};
    int64_t first = 0, last = 0;
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        const int64_t reach = (view.shape[axis] - 1) * view.strides[axis];
        (reach < 0 ? first : last) += reach;
    }
    return {first * item, (last - first + 1) * item};
}

// Inputs are copied with what lies between their elements.
bool is_scattered(const TensorView& view) {
    constexpr int64_t worth_it = 4096;
    const int64_t elements = element_count(view) * static_cast<int64_t>(item_size(view.dtype));
    return span_of(view).bytes > 4 * elements + worth_it;
}

}  // namespace

ProgramGraph::ProgramGraph(Program& program)
    : program_(program),
      table_(program.arena->placement().backend->graphs),
      where_(program.arena->placement().where) {
    if (table_ == nullptr) {
        refuse("calls");
        return;
    }
    for (size_t i = 0; i < program.inputs.size(); ++i) {
        if (is_scattered(program.inputs[i])) {
            refuse("calls, since the elements of input " + std::to_string(i) + " lie far apart");
            return;
        }
        spans_.push_back(span_of(program.inputs[i]));
    }
    for (const ProgramResult& result : program.results) {
        const Buffer& buffer = program.buffers[static_cast<size_t>(result.buffer)];
        const bool is_input = buffer.place == Place::input;
        results_.push_back({is_input ? nullptr : program.address_of(buffer) + result.byte_offset,
                            is_input ? buffer.input : -1, result.byte_offset, result.bytes});
    }
}

ProgramGraph::~ProgramGraph() { forget(); }

void ProgramGraph::forget() {
    if (graph_ != nullptr) table_->free(graph_);
    graph_ = nullptr;
}

void ProgramGraph::refuse(const std::string& reason) {
    forget();
    state_ = State::refused;
    program_.note_execution(reason);
}

void ProgramGraph::make() {
    const GraphPlan plan{program_.slots.data(),
                         static_cast<int32_t>(program_.slots.size()),
                         program_.changing_slots.data(),
                         static_cast<int32_t>(program_.changing_slots.size()),
                         spans_.data(),
                         static_cast<int32_t>(spans_.size()),
                         results_.data(),
                         static_cast<int32_t>(results_.size()),
                         program_.model};
    inputs_.resize(spans_.size());
    ErrorMessage error{};
    require_ok(table_->make(where_, &plan, &graph_, &queue_, inputs_.data(), &error), error);
}

bool ProgramGraph::begin_warm(const GraphRun& first) {
    try {
        make();
        ErrorMessage error{};
        require_ok(table_->warm(graph_, &first, &error), error);
        return true;
    } catch (const Error& error) {
        refuse(std::string("calls, since no graph was made: ") + error.what());
        return false;
    }
}

void ProgramGraph::end_warm(bool has_run) {
    if (!has_run) return forget();
    state_ = State::warmed;
}

bool ProgramGraph::begin_record() {
    ErrorMessage error{};
    if (table_->record(graph_, &error) == 0) return true;
    refuse(std::string("calls, since no graph was made: ") + error.text);
    return false;
}

bool ProgramGraph::end_record() {
    ErrorMessage error{};
    if (table_->finish(graph_, &error) == 0) {
        state_ = State::ready;
        program_.note_execution("graph");
        return true;
    }
    refuse(std::string("calls, since no graph was made: ") + error.text);
    return false;
}

void ProgramGraph::begin_notes() {
    ErrorMessage error{};
    require_ok(table_->note(graph_, &error), error);
}

void ProgramGraph::end_notes() {
    ErrorMessage error{};
    require_ok(table_->noted(graph_, &error), error);
    is_noted_ = true;
}

void ProgramGraph::join() {
    ErrorMessage error{};
    if (graph_ != nullptr) require_ok(table_->join(graph_, &error), error);
}

void ProgramGraph::run(const GraphRun& run, const std::atomic<bool>* stop, int64_t& done) {
    const auto is_stopped = [](const void* owner) {
        return static_cast<const std::atomic<bool>*>(owner)->load(std::memory_order_relaxed);
    };
    ErrorMessage error{};
    int64_t given = 0;
    const int32_t status =
        table_->run(graph_, &run, stop == nullptr ? nullptr : +is_stopped, stop, &given, &error);
    done += given;
    require_ok(status, error);
}

}  // namespace nativegrad
