// Writes a program while a step function runs in tracing mode: its ops are recorded, none is executed.
//
// A tensor made meanwhile has a storage of a backend of its own: an address range that no memory stands
// behind, so that views and bounds work as ever and any use of the elements is caught.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "program/program.h"

namespace nativegrad {

// True for a tensor that was made while a step was recorded, and has no elements.
bool is_recorded(const Storage& storage);

struct RecordedSlot {
    size_t offset;     // of the ScalarSlot in the parameter struct
    int32_t position;  // of its value in the call's parameter list
    double value;
};

struct RecordedCall {
    OpCode op;
    int32_t device;
    int32_t input_count, output_count;
    const TensorView* inputs;
    const TensorView* outputs;
    const StorageRef* input_storage;
    const StorageRef* output_storage;
    const void* params;
    size_t params_size;
    std::vector<RecordedSlot> slots;
};

class Recorder {
  public:
    // Stands for a tensor that each replay brings: the layout is that of `given`, the addresses are its own,
    // so what shares memory with it outside is another tensor to the step. `view` is placed there.
    StorageRef add_input(const TensorView& given, TensorView& view);

    // Storage for a tensor that the step makes.
    StorageRef temporary(int64_t bytes);

    // True when the storage was made by this recorder.
    bool owns(const Storage& storage) const;

    // A storage that was filled with values from JavaScript in the middle of the step: a constant of the
    // program, which must not be written.
    void add_constant(const StorageRef& storage);

    // Appends a call; returns the number of its first slot, the others follow.
    int32_t record(const RecordedCall& call);

    // The memory in which each replay leaves the elements of a tensor that the step made: made by `allocate`
    // when it is asked for first.
    template <class Allocate>
    StorageRef persist(const Storage& temporary, const Allocate& allocate) {
        Buffer& buffer = buffer_made_here(temporary);
        if (buffer.place == Place::arena) buffer.storage = allocate(buffer.bytes);
        buffer.place = Place::storage;
        return buffer.storage;
    }

    // Has the elements of a row-major tensor copied out after each step.
    void add_result(const TensorView& view, const StorageRef& storage);

    // Where the calls run: one device for all of them.
    int32_t device() const { return device_ < 0 ? 0 : device_; }

    // A finished program, its calls as recorded or fused. `allocate` makes the arena.
    template <class Allocate>
    std::shared_ptr<Program> finish(const std::vector<int32_t>& changing_slots, bool fused,
                                    const Allocate& allocate) const {
        std::shared_ptr<Program> program = plan(changing_slots, fused);
        program->arena = allocate(program->arena_bytes);
        program->bind();
        return program;
    }

  private:
    StorageRef reserved(Place place, int32_t input, int64_t bytes);
    Operand operand(const TensorView& view, const StorageRef& storage, bool is_output);
    int32_t buffer_of(const StorageRef& storage);
    Buffer& buffer_made_here(const Storage& storage);
    std::shared_ptr<Program> plan(const std::vector<int32_t>& changing_slots, bool fused) const;

    std::shared_ptr<Program> program_ = std::make_shared<Program>();
    std::unordered_map<const Storage*, int32_t> buffers_;
    std::unordered_set<const Storage*> constants_;
    std::vector<StorageRef> held_;  // so that no address comes twice
    int32_t device_ = -1;           // of the calls; -1 before the first one
};

}  // namespace nativegrad
