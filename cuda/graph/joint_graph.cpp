#include "graph/joint_graph.h"

#include <algorithm>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t list_alignment = 16;
constexpr size_t rows_bytes = size_t{1} << 20;
constexpr int64_t least_rows = 16, most_rows = 4096;

size_t rounded(size_t bytes) { return (bytes + list_alignment - 1) / list_alignment * list_alignment; }

// What `body` gives to a stream that is none.
template <class Body>
std::vector<LaunchNote> notes_of(const Body& body) {
    char place = 0;
    const Stream nowhere{&place};
    LaunchNotes notes(nowhere);
    body(nowhere);
    return std::move(notes.list);
}

}  // namespace

JointGraph::JointGraph(std::vector<StepGraph*> members)
    : members_(std::move(members)), root_(members_.front()->root()) {
    place_lists();
    make_launches();
    capture();
}

void JointGraph::place_lists() {
    for (const StepGraph* member : members_) {
        heads_.push_back(head_bytes_);
        head_bytes_ += rounded(member->head_bytes());
        rows_.push_back(row_bytes_);
        row_bytes_ += rounded(member->live().row_bytes());
    }
    most_rows_ = row_bytes_ == 0
                     ? most_rows
                     : std::clamp(static_cast<int64_t>(rows_bytes / row_bytes_), least_rows, most_rows);
    lists_ = std::make_unique<Block>(root_, head_bytes_ + static_cast<size_t>(most_rows_) * row_bytes_);
    for (size_t i = 0; i < members_.size(); ++i)
        places_.push_back({lists_->data() + heads_[i], lists_->data() + head_bytes_ + rows_[i],
                           static_cast<int64_t>(row_bytes_)});
}

void JointGraph::make_launches() {
    std::vector<std::vector<LaunchNote>> steps, ends;
    for (size_t i = 0; i < members_.size(); ++i) {
        const StepCopyList copies = members_[i]->copy_list(places_[i]);
        steps.push_back(notes_of([&](Stream stream) { begin_step(copies, stream); }));
        const std::vector<LaunchNote>& calls = members_[i]->notes();
        steps.back().insert(steps.back().end(), calls.begin(), calls.end());
        ends.push_back(notes_of([&](Stream stream) { end_steps(copies, stream); }));
    }
    step_ = std::make_unique<JointLaunches>(std::move(steps));
    end_ = std::make_unique<JointLaunches>(std::move(ends));
    const size_t split = step_->argument_bytes(), bytes = split + end_->argument_bytes();
    if (bytes == 0) return;
    arguments_ = std::make_unique<Block>(root_, bytes);
    char* const room = upload_.room(bytes);
    step_->write_arguments(room, arguments_->data());
    end_->write_arguments(room + split, arguments_->data() + split);
    upload_.send(arguments_->data(), 0, bytes, root_.stream());
    step_->load();
    end_->load();
}

void JointGraph::capture() {
    SideStreams beside(step_->most_beside());
    const Owned<Stream> own(create_stream());
    const Stream stream = own.get();
    begin_capture(stream);
    try {
        step_->emit(stream, beside);
    } catch (const Error&) {
        try {
            if (is_capturing(stream)) Owned(end_capture(stream));
        } catch (const Error&) {
            // It says once more what failed.
        }
        throw;
    }
    exec_ = ready_graph(Owned(end_capture(stream)), root_.stream());
}

void JointGraph::write_lists(char* to, const GraphRun* runs, int64_t first, int64_t count) const {
    for (size_t i = 0; i < members_.size(); ++i) {
        const LiveValues& live = members_[i]->live();
        members_[i]->write_head(to + heads_[i], runs[i], first, places_[i]);
        const auto values = static_cast<int64_t>(live.value_count());
        char* row = to + head_bytes_ + rows_[i];
        for (int64_t step = first; step < first + count; ++step, row += row_bytes_)
            live.write_row(runs[i].rows + step * values, row);
    }
}

void JointGraph::run(const GraphRun* runs, bool (*stop)(const void*), const void* owner, int64_t& given) {
    const int64_t steps = runs[0].steps, parts = (steps + most_rows_ - 1) / most_rows_;
    const Stream stream = root_.stream();
    SideStreams alone(1);
    char* const room =
        upload_.room(static_cast<size_t>(parts) * head_bytes_ + static_cast<size_t>(steps) * row_bytes_);
    size_t offset = 0;
    given = 0;
    for (int64_t first = 0; first < steps; first += most_rows_) {
        const int64_t count = std::min(most_rows_, steps - first);
        const size_t bytes = head_bytes_ + static_cast<size_t>(count) * row_bytes_;
        write_lists(room + offset, runs, first, count);
        upload_.send(lists_->data(), offset, bytes, stream);
        offset += bytes;
        const int64_t end = given + count;
        for (; given < end && (stop == nullptr || !stop(owner)); ++given) launch_graph(exec_.get(), stream);
        end_->emit(stream, alone);
        if (given < end) break;
    }
}

}  // namespace nativegrad::cuda
