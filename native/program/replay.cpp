// How a program's steps run: call by call, or as a graph.
#include <cstdio>
#include <string>

#include "backend/error.h"
#include "program/call_times.h"
#include "program/program.h"
#include "program/program_graph.h"

namespace nativegrad {

void Program::replay(int64_t steps, const double* rows, const std::vector<ProgramInput>& given,
                     const std::vector<ProgramOutput>& wanted, int64_t& done, const std::atomic<bool>* stop) {
    done = 0;
    start(steps, rows, given, wanted, false, done, stop);
    if (done == steps) finish(steps, done);
}

void Program::start(int64_t steps, const double* rows, const std::vector<ProgramInput>& given,
                    const std::vector<ProgramOutput>& wanted, bool beside, int64_t& done,
                    const std::atomic<bool>* stop) {
    const Run run{steps, rows, given, wanted, beside};
    try {
        lead(done);
        while (done < steps) {
            if (stop != nullptr && stop->load(std::memory_order_relaxed)) return;
            run_some(run, done, stop);
        }
    } catch (const Error& error) {
        const int64_t failed = done + 1;
        if (error.status == Status::device_lost) done = 0;
        char text[1100];
        std::snprintf(text, sizeof text, "%s%s (in step %lld of %lld of a captured program)",
                      label_of(error.what()).c_str(), error.what(), static_cast<long long>(failed),
                      static_cast<long long>(steps));
        throw Error(error.status, text);
    }
}

// What a kernel reported may be of another model, and says of which.
std::string Program::label_of(const std::string& text) const {
    const bool is_told = text.rfind(model_label, 0) == 0;
    return model < 0 || is_told ? "" : model_label + std::to_string(model) + ": ";
}

// Errors of a device come up here, and the caller may count on what it reads. After a wrong value all the
// steps were done, with a harmless one in its place; of a device that is lost, nothing is known.
void Program::finish(int64_t steps, int64_t& done) {
    try {
        if (graph_ != nullptr) graph_->join();
        wait();
    } catch (const Error& error) {
        if (error.status == Status::device_lost) done = 0;
        throw Error(error.status, std::string(error.what()) + " (in one of " + std::to_string(steps) +
                                      " steps of a captured program)");
    }
}

void Program::wait() const {
    const auto& [backend, where] = arena->placement();
    ErrorMessage error{};
    require_ok(backend->synchronize(where, &error), error);
}

void Program::run_some(const Run& run, int64_t& done, const std::atomic<bool>* stop) {
    // With the time of each call, they go one by one.
    if (nanoseconds.empty()) {
        using State = ProgramGraph::State;
        if (graph_ == nullptr) graph_ = std::make_shared<ProgramGraph>(*this);
        if (graph_->state() == State::fresh) {
            done += warm_step(run, done);
            return;
        }
        if (graph_->state() == State::ready || (graph_->state() == State::warmed && record_step()))
            return run_graph(run, done, stop);
    }
    run_step(run, done);
    ++done;
}

void Program::aim(DeviceQueue where) {
    for (Call& call : calls_) call.call.where = where;
}

void Program::fill_slots(const Run& run, int64_t step) {
    const double* row = run.rows + step * static_cast<int64_t>(changing_slots.size());
    for (const int32_t slot : changing_slots) slots[static_cast<size_t>(slot)] = *row++;
}

void Program::point_at_inputs(const Run& run, int64_t step) {
    for (const InputPlace& place : input_places_) {
        const Buffer& buffer = buffers[static_cast<size_t>(place.buffer)];
        place.view->data = base_of(buffer, step, run.given) + place.byte_offset;
    }
}

void Program::run_step(const Run& run, int64_t step) {
    fill_slots(run, step);
    point_at_inputs(run, step);
    if (nanoseconds.empty())
        run_calls();
    else
        run_timed_calls(leading, calls_.size());
    copy_results(run, step);
}

// Others may have used the arena meanwhile.
std::vector<uint64_t> Program::led_writes() const {
    std::vector<uint64_t> writes{arena->writes()};
    for (size_t i = 0; i < leading; ++i) {
        for (const Operand& operand : instructions[i].operands) {
            if (operand.buffer < 0) continue;
            const Buffer& buffer = buffers[static_cast<size_t>(operand.buffer)];
            if (buffer.place == Place::storage) writes.push_back(buffer.storage->writes());
        }
    }
    return writes;
}

void Program::lead(int64_t done) {
    if (done > 0) return;
    if (leading > 0 && !nanoseconds.empty()) {
        run_timed_calls(0, leading);
    } else if (leading > 0 && !(has_led_ && led_writes_ == led_writes())) {
        has_led_ = false;
        // Whoever shares the arena hears of it also where a call fails.
        arena->note_write();
        const BackendTable& backend = *arena->placement().backend;
        for (size_t i = 0; i < leading; ++i) run_op(backend, calls_[i].op, calls_[i].call);
    }
    for (const Buffer& buffer : buffers) {
        if (buffer.place == Place::storage && buffer.is_written) buffer.storage->note_write();
    }
    arena->note_write();
    has_led_ = leading > 0;
    if (has_led_) led_writes_ = led_writes();
}

void Program::run_calls() {
    const BackendTable& backend = *arena->placement().backend;
    for (size_t i = leading; i < calls_.size(); ++i) run_op(backend, calls_[i].op, calls_[i].call);
}

void Program::run_timed_calls(size_t first, size_t last) {
    const auto& [backend, where] = arena->placement();
    CallTimes times(*backend, where, last - first);
    times.note(0);
    for (size_t i = first; i < last; ++i) {
        run_op(*backend, calls_[i].op, calls_[i].call);
        times.note(i - first + 1);
    }
    times.add_to(nanoseconds, first);
}

void Program::copy_results(const Run& run, int64_t step) {
    const auto& [backend, where] = arena->placement();
    for (size_t i = 0; i < results.size(); ++i) {
        const ProgramResult& result = results[i];
        if (result.bytes == 0) continue;
        const Buffer& buffer = buffers[static_cast<size_t>(result.buffer)];
        ErrorMessage error{};
        require_ok(backend->copy(where, run.wanted[i].data + step * result.bytes,
                                 base_of(buffer, step, run.given) + result.byte_offset,
                                 static_cast<size_t>(result.bytes), &error),
                   error);
    }
}

Program::GraphArguments Program::graph_arguments(const Run& run, int64_t step) const {
    GraphArguments arguments;
    for (const ProgramInput& input : run.given) {
        const char* data = static_cast<const char*>(input.view.data) + step * input.step_bytes;
        arguments.sources.push_back({data, input.step_bytes});
    }
    for (size_t i = 0; i < results.size(); ++i)
        arguments.outputs.push_back(run.wanted[i].data + step * results[i].bytes);
    return arguments;
}

void Program::run_calls_in_graph() {
    for (const InputPlace& place : input_places_) {
        const Buffer& buffer = buffers[static_cast<size_t>(place.buffer)];
        place.view->data =
            static_cast<char*>(graph_->input(static_cast<size_t>(buffer.input))) + place.byte_offset;
    }
    aim(graph_->queue());
    try {
        run_calls();
    } catch (...) {
        aim(arena->placement().where);
        throw;
    }
    aim(arena->placement().where);
}

int64_t Program::warm_step(const Run& run, int64_t step) {
    fill_slots(run, step);
    const GraphArguments arguments = graph_arguments(run, step);
    if (!graph_->begin_warm({1, run.rows, arguments.sources.data(), arguments.outputs.data(), false})) {
        run_step(run, step);
        return 1;
    }
    try {
        run_calls_in_graph();
    } catch (...) {
        graph_->end_warm(false);
        throw;
    }
    graph_->end_warm(true);
    copy_results(run, step);
    return 1;
}

bool Program::record_step() {
    if (!graph_->begin_record()) return false;
    try {
        run_calls_in_graph();
    } catch (const Error& error) {
        // What is wrong with the calls themselves comes up again where they run one by one.
        graph_->refuse(std::string("calls, since no graph was made: ") + error.what());
        return false;
    }
    return graph_->end_record();
}

void Program::run_graph(const Run& run, int64_t& done, const std::atomic<bool>* stop) {
    const GraphArguments arguments = graph_arguments(run, done);
    const double* rows = run.rows + done * static_cast<int64_t>(changing_slots.size());
    graph_->run({run.steps - done, rows, arguments.sources.data(), arguments.outputs.data(), run.beside},
                stop, done);
}

}  // namespace nativegrad
