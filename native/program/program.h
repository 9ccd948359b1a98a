// A captured step: op calls in order, each operand at a fixed place, so that a replay allocates nothing.
//
// A buffer lies in the arena (temporaries, placed by the planner), in a storage of its own (parameters,
// state, results), or is an input that each replay brings. Slots are the hyper-parameters of all calls in one
// array; those that change from step to step are written before each one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/graphs.h"
#include "tensor/storage.h"

namespace nativegrad {

enum class Place : int32_t { arena, storage, input };

struct Buffer {
    Place place;
    int64_t bytes;
    int64_t offset;      // in the arena
    int32_t input;       // which input it is
    StorageRef storage;  // of place storage
    bool is_written;
    bool is_reordered = false;  // computed by way of sums in another order than that of the step
    bool lasts = false;         // keeps its elements from one step of a run to the next
};

struct Operand {
    TensorView view;  // data is filled in by `bind`, for inputs by each step
    int32_t buffer;   // -1 for a number
    int64_t byte_offset;
};

struct SlotField {
    size_t offset;  // of the ScalarSlot in the parameter struct
    int32_t slot;
};

struct Instruction {
    OpCode op;
    std::vector<Operand> operands;  // inputs, then outputs
    int32_t input_count;
    std::vector<char> params;
    std::vector<SlotField> slots;
    std::vector<double> numbers;  // a place for each operand: the value where it is a number
    bool reorders = false;        // adds up in another order than the calls that it stands for
};

// What one replay reads: `view` as given by the caller; step i starts `step_bytes * i` further.
struct ProgramInput {
    TensorView view;
    StorageRef storage;
    int64_t step_bytes;
};

// Elements that the caller gets after each step: row-major, copied out.
struct ProgramResult {
    TensorView view;
    int32_t buffer;
    int64_t byte_offset;
    int64_t bytes;
};

// Where a replay leaves a result: step i's elements follow those of step i - 1.
struct ProgramOutput {
    char* data;
    StorageRef storage;
};

class ProgramGraph;
class JointPrograms;

class Program {
  public:
    std::vector<Buffer> buffers;
    std::vector<TensorView> inputs;  // as they were when the step was captured
    std::vector<Instruction> instructions;
    // So many calls at the beginning are made before a run at most: what they make lasts, and calls of the
    // steps keep it up to date with what the steps themselves write.
    size_t leading = 0;
    std::vector<ProgramResult> results;
    std::vector<double> slots;
    int32_t model = -1;  // its number among those of captureModels, which errors tell; -1: alone
    std::vector<int32_t> changing_slots;  // in the order of a row
    StorageRef arena;                     // also says where the calls run
    int32_t device = 0;
    int64_t arena_bytes = 0;

    // Points every operand and slot at its place. Call once, when all of the above stands.
    void bind();

    // Takes the arena of another program in place of its own; the two must not run at once then. False where
    // that one is too small.
    bool share_arena(const Program& other);
    // Takes memory of at least `arena_bytes` in place of its arena.
    void use_arena(StorageRef memory);

    // Runs `steps` steps; rows holds, for each step, the values of the changing slots. Throws Error with the
    // step and the op; what was written until then stays. Ends between two steps once `stop` is set. `done`
    // is how many steps have ended, also after an error; 0 where the device is lost.
    void replay(int64_t steps, const double* rows, const std::vector<ProgramInput>& given,
                const std::vector<ProgramOutput>& wanted, int64_t& done,
                const std::atomic<bool>* stop = nullptr);
    // The same in two parts, so that programs on one device can run beside each other (those that share no
    // memory that one of them writes): `start` gives the steps to the device, `finish` follows whatever came
    // of it, and waits.
    void start(int64_t steps, const double* rows, const std::vector<ProgramInput>& given,
               const std::vector<ProgramOutput>& wanted, bool beside, int64_t& done,
               const std::atomic<bool>* stop = nullptr);
    void finish(int64_t steps, int64_t& done);

    // What a replay was asked for.
    struct Run {
        int64_t steps;
        const double* rows;
        const std::vector<ProgramInput>& given;
        const std::vector<ProgramOutput>& wanted;
        bool beside;
    };
    // A run of one of several programs, and how many of its steps were given.
    struct Part {
        Program* program;
        Run run;
        int64_t* done;
    };
    // Gives the steps of all of them to their device as one graph, from `done` on. False, and nothing given,
    // where that cannot be (now, or at all): then each goes on alone.
    static bool start_joint(const std::vector<Part>& parts, const std::atomic<bool>* stop);
    // The steps until its graph stands; the others are left to `start`.
    void start_alone(const Run& run, int64_t& done);

    // While set, replays add up what each call takes on the device, in nanoseconds, call by call; off
    // is free.
    void set_timed(bool timed) { nanoseconds.assign(timed ? instructions.size() : 0, 0); }
    std::vector<int64_t> nanoseconds;

    // "graph", or "calls" with the reason why they go to the backend one by one. On any thread.
    std::string execution() const;
    void note_execution(const std::string& text);
    // What goes in front of an error's text: the model, where there are several and it does not say.
    std::string label_of(const std::string& text) const;

    // First byte of a buffer that is no input.
    char* address_of(const Buffer& buffer) const { return base_of(buffer, 0, {}); }

    // After a run that failed somewhere.
    void forget_led() { has_led_ = false; }

    // Marks the storages that the program itself holds as in use by a replay, or no longer.
    void begin_use();
    void end_use();

  private:
    struct InputPlace {
        TensorView* view;
        int32_t buffer;
        int64_t byte_offset;
    };
    struct Call {
        OpCode op;
        OpCall call;
        std::vector<TensorView> views;
    };
    // First byte of the buffer; for inputs, of the first element in the given step.
    char* base_of(const Buffer& buffer, int64_t step, const std::vector<ProgramInput>& given) const;

    // What a run asks for, from one of its steps on, for a backend.
    struct GraphArguments {
        std::vector<GraphSource> sources;
        std::vector<void*> outputs;
    };
    GraphArguments graph_arguments(const Run& run, int64_t step) const;

    // Points operands in arena and storages at their elements.
    void point_at_buffers();
    // Has the calls go to this queue.
    void aim(DeviceQueue where);
    void point_at_inputs(const Run& run, int64_t step);
    void fill_slots(const Run& run, int64_t step);

    // Steps from `done` on, one or more, in the way that is there; counts them.
    void run_some(const Run& run, int64_t& done, const std::atomic<bool>* stop);
    // At the beginning of a run, when no step is done: the leading calls, unless what they made still holds.
    void lead(int64_t done);
    // How often each storage was written to that says whether it does.
    std::vector<uint64_t> led_writes() const;
    // The calls of a step with operands and slots as they are.
    void run_calls();
    void run_timed_calls(size_t first, size_t last);
    void run_calls_in_graph();
    void note_calls();
    void copy_results(const Run& run, int64_t step);
    void run_step(const Run& run, int64_t step);
    int64_t warm_step(const Run& run, int64_t step);
    // False where the step cannot be a graph.
    bool record_step();
    void run_graph(const Run& run, int64_t& done, const std::atomic<bool>* stop);
    void wait() const;

    std::vector<Call> calls_;
    std::vector<InputPlace> input_places_;
    bool has_led_ = false;
    std::vector<uint64_t> led_writes_;  // when the last run began
    std::shared_ptr<ProgramGraph> graph_;
    std::shared_ptr<JointPrograms> joint_;  // of the programs that it was the first of
    mutable std::mutex execution_mutex_;
    std::string execution_ = "calls, until it has run once";
};

}  // namespace nativegrad
