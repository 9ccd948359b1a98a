#include "graph/step_graph.h"

#include <algorithm>
#include <cstring>

#include "backend/error.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t input_alignment = 512, list_alignment = 16;

// Rows that the device holds at a time: a longer run sends its numbers in several parts.
constexpr size_t rows_bytes = size_t{64} << 10;
constexpr int64_t least_rows = 64, most_rows = 4096;

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

Owned<GraphExec> ready_graph(const Owned<Graph>& captured, Stream stream) {
    Owned<GraphExec> exec(instantiate(captured.get()));
    upload(exec.get(), stream);
    return exec;
}

StepGraph::StepGraph(Queue& root, const GraphPlan& plan)
    : root_(root),
      input_spans_(plan.inputs, plan.inputs + plan.input_count),
      results_(plan.results, plan.results + plan.result_count),
      live_(plan),
      work_(root),
      queue_(root, work_, live_, plan.model) {
    size_t bytes = 0;
    for (const GraphInput& input : input_spans_) {
        places_.push_back(bytes);
        bytes += rounded(static_cast<size_t>(input.bytes), input_alignment);
    }
    inputs_ = std::make_unique<Block>(root, bytes);
}

StepGraph::~StepGraph() {
    try {
        forget_capture();
        // The memory goes back in the order of the queue.
        join();
    } catch (const Error&) {
        // The device is lost, and the graph with it.
    }
}

StepGraph::Copies StepGraph::copies_of(const GraphRun* run, int64_t first, const ListPlace& lists) const {
    std::vector<StepCopy> parts[4];  // small ones in, small ones out, large ones in, large ones out
    const auto add = [&](bool out, const StepCopy& copy) {
        if (copy.bytes > 0) parts[(copy.bytes > most_small_bytes ? 2 : 0) + (out ? 1 : 0)].push_back(copy);
    };
    const auto source_of = [&](size_t input, int64_t offset) {
        const GraphSource from = run != nullptr ? run->sources[input] : GraphSource{nullptr, 0};
        return GraphSource{static_cast<const char*>(from.data) + offset + first * from.step_bytes,
                           from.step_bytes};
    };
    if (row_bytes_ > 0) {
        const auto bytes = static_cast<int64_t>(row_bytes_);
        // A row is copied by one warp, however long it is.
        parts[0].push_back({lists.rows, live_block_->data(), lists.row_step, 0, bytes});
    }
    for (size_t i = 0; i < input_spans_.size(); ++i) {
        const GraphSource from = source_of(i, input_spans_[i].first);
        add(false, {static_cast<const char*>(from.data), inputs_->data() + places_[i], from.step_bytes, 0,
                    input_spans_[i].bytes});
    }
    for (size_t i = 0; i < results_.size(); ++i) {
        const GraphResult& result = results_[i];
        const GraphSource from = result.input < 0
                                     ? GraphSource{result.from, 0}
                                     : source_of(static_cast<size_t>(result.input), result.offset);
        char* const to =
            run != nullptr ? static_cast<char*>(run->outputs[i]) + first * result.bytes : nullptr;
        add(true, {static_cast<const char*>(from.data), to, from.step_bytes, result.bytes, result.bytes});
    }
    Copies copies;
    const auto range_of = [&](const std::vector<StepCopy>& in, const std::vector<StepCopy>& out) {
        const auto* at = reinterpret_cast<const StepCopy*>(lists.head + copies_offset) + copies.list.size();
        CopyRange range{at, static_cast<int32_t>(in.size()), static_cast<int32_t>(out.size()), 0};
        for (const std::vector<StepCopy>* part : {&in, &out}) {
            for (const StepCopy& copy : *part) {
                range.most_bytes = std::max(range.most_bytes, copy.bytes);
                copies.list.push_back(copy);
            }
        }
        return range;
    };
    const CopyRange small = range_of(parts[0], parts[1]);
    copies.at = {reinterpret_cast<StepCounter*>(lists.head), small, range_of(parts[2], parts[3])};
    return copies;
}

size_t StepGraph::rows_offset() const {
    const size_t most_copies = 1 + input_spans_.size() + results_.size();
    return rounded(copies_offset + most_copies * sizeof(StepCopy), list_alignment);
}

void StepGraph::write_head(char* to, const GraphRun& run, int64_t first, const ListPlace& at) const {
    const StepCounter counter{0, 0};
    std::memcpy(to, &counter, sizeof counter);
    const Copies copies = copies_of(&run, first, at);
    if (!copies.list.empty())
        std::memcpy(to + copies_offset, copies.list.data(), copies.list.size() * sizeof(StepCopy));
}

void StepGraph::warm(const GraphRun& first) {
    queue_.set_stream(root_.stream());
    live_.measure();
    work_.measure();
    const Block lists(root_, rows_offset());
    write_head(upload_.room(rows_offset()), first, 0, place_at(lists.data()));
    upload_.send(lists.data(), 0, rows_offset(), root_.stream());
    // Their kernels are loaded now, too; results go out by the program's own copies.
    begin_step(copies_of(&first, 0, place_at(lists.data())).at, root_.stream());
}

void StepGraph::record() {
    row_bytes_ = live_.row_bytes();
    work_bytes_ = work_.measured_bytes();
    most_rows_ = row_bytes_ == 0
                     ? most_rows
                     : std::clamp(static_cast<int64_t>(rows_bytes / row_bytes_), least_rows, most_rows);
    live_block_ = std::make_unique<Block>(root_, row_bytes_);
    lists_ = std::make_unique<Block>(root_, rows_offset() + static_cast<size_t>(most_rows_) * row_bytes_);
    work_block_ = std::make_unique<Block>(root_, work_bytes_);
    live_.record(live_block_->data(), row_bytes_);
    work_.record(work_block_->data(), work_bytes_);
    // Not the root's stream: others may give it work meanwhile.
    capturing_ = create_stream();
    begin_capture(capturing_);
    queue_.set_stream(capturing_);
    begin_step(copy_list(own_place()), capturing_);
}

void StepGraph::finish() {
    live_.end();
    exec_ = ready_graph(Owned(end_capture(capturing_)), root_.stream());
    forget_capture();
}

void StepGraph::begin_notes() {
    // Of an earlier time that failed.
    forget_capture();
    // Places are those of the recording: the order of the calls says which.
    live_.record(live_block_->data(), row_bytes_);
    work_.record(work_block_->data(), work_bytes_);
    capturing_ = create_stream();
    // What cannot be noted ends up in the capture, which must stay empty.
    begin_capture(capturing_);
    queue_.set_stream(capturing_);
    noting_ = std::make_unique<LaunchNotes>(capturing_);
}

void StepGraph::end_notes() {
    live_.end();
    notes_ = std::move(noting_->list);
    noting_.reset();
    const Graph rest = end_capture(capturing_);
    const int nodes = node_count(rest);
    destroy(rest);
    forget_capture();
    if (nodes > 0) throw Error(Status::internal, "a call of the step cannot be noted");
}

// Ends what was begun and not finished; after a failed call the runtime says so once more, which is no news.
void StepGraph::forget_capture() {
    noting_.reset();
    if (capturing_.handle == nullptr) return;
    const Stream stream = capturing_;
    capturing_ = {};
    try {
        if (is_capturing(stream)) destroy(end_capture(stream));
    } catch (const Error&) {
    }
    destroy(stream);
}

Stream StepGraph::fork() {
    if (own_.get().handle == nullptr) {
        forked_ = Owned(create_event());
        ended_ = Owned(create_event());
        own_ = Owned(create_stream());
    }
    nativegrad::cuda::record(forked_.get(), root_.stream());
    wait_event(own_.get(), forked_.get());
    is_apart_ = true;
    return own_.get();
}

void StepGraph::join() {
    if (!is_apart_) return;
    is_apart_ = false;
    nativegrad::cuda::record(ended_.get(), own_.get());
    wait_event(root_.stream(), ended_.get());
}

void StepGraph::launch_steps(int64_t count, Stream stream, bool (*stop)(const void*), const void* owner,
                             int64_t& given) {
    const int64_t end = given + count;
    for (; given < end && (stop == nullptr || !stop(owner)); ++given) launch_graph(exec_.get(), stream);
    end_steps(copy_list(own_place()), stream);
}

void StepGraph::run(const GraphRun& run, bool (*stop)(const void*), const void* owner, int64_t& given) {
    const int64_t parts = (run.steps + most_rows_ - 1) / most_rows_;
    const size_t head = rows_offset();
    const Stream stream = run.beside ? fork() : root_.stream();
    char* const room =
        upload_.room(static_cast<size_t>(parts) * head + static_cast<size_t>(run.steps) * row_bytes_);
    const double* values = run.rows;
    size_t offset = 0;
    given = 0;
    for (int64_t first = 0; first < run.steps; first += most_rows_) {
        const int64_t count = std::min(most_rows_, run.steps - first);
        write_head(room + offset, run, first, own_place());
        char* row = room + offset + head;
        for (int64_t step = 0; step < count; ++step, row += row_bytes_) {
            live_.write_row(values, row);
            values += live_.value_count();
        }
        const size_t bytes = head + static_cast<size_t>(count) * row_bytes_;
        upload_.send(lists_->data(), offset, bytes, stream);
        offset += bytes;
        launch_steps(count, stream, stop, owner, given);
        if (given < first + count) break;
    }
}

}  // namespace nativegrad::cuda
