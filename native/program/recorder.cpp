#include "program/recorder.h"

#include <atomic>
#include <cstring>

#include "backend/error.h"
#include "program/fuse.h"
#include "program/planner.h"

namespace nativegrad {

namespace {

// Not an address of any process (not canonical on x86-64, beyond the user's range on aarch64): a read of it
// faults rather than giving a wrong number. Recorders of all environments count on from here.
std::atomic<uintptr_t> next_address{uintptr_t{1} << 62};

constexpr int64_t address_alignment = 64;

void* reserve(size_t bytes) {
    const size_t size = (bytes + address_alignment) / address_alignment * address_alignment;
    return reinterpret_cast<void*>(next_address.fetch_add(size, std::memory_order_relaxed));
}

void release(DeviceQueue, void*, size_t) {}

// From the first element to the end of the last one.
int64_t reached_bytes(const TensorView& view) {
    if (element_count(view) == 0) return 0;
    int64_t last = 0;
    for (int32_t axis = 0; axis < view.rank; ++axis) last += view.strides[axis] * (view.shape[axis] - 1);
    return (last + 1) * static_cast<int64_t>(item_size(view.dtype));
}

const BackendTable& recording_backend() {
    static const BackendTable table = [] {
        BackendTable result{};
        result.abi_hash = backend_abi_hash();
        result.name = "recorder";
        result.release = &release;
        return result;
    }();
    return table;
}

}  // namespace

bool is_recorded(const Storage& storage) { return &storage.backend() == &recording_backend(); }

StorageRef Recorder::reserved(Place place, int32_t input, int64_t bytes) {
    const Placement placement{&recording_backend(), {}};
    StorageRef storage(new Storage(placement, reserve(static_cast<size_t>(bytes)), bytes));
    buffers_.emplace(storage.get(), static_cast<int32_t>(program_->buffers.size()));
    program_->buffers.push_back({place, bytes, 0, input, {}, false});
    held_.push_back(storage);
    return storage;
}

StorageRef Recorder::add_input(const TensorView& given, TensorView& view) {
    const int32_t index = static_cast<int32_t>(program_->inputs.size());
    program_->inputs.push_back(given);
    StorageRef storage = reserved(Place::input, index, reached_bytes(given));
    view = given;
    view.data = storage->data();
    return storage;
}

StorageRef Recorder::temporary(int64_t bytes) { return reserved(Place::arena, -1, bytes); }

bool Recorder::owns(const Storage& storage) const { return buffers_.count(&storage) != 0; }

void Recorder::add_constant(const StorageRef& storage) {
    constants_.insert(storage.get());
    held_.push_back(storage);
}

int32_t Recorder::buffer_of(const StorageRef& storage) {
    const auto found = buffers_.find(storage.get());
    if (found != buffers_.end()) return found->second;
    const int32_t index = static_cast<int32_t>(program_->buffers.size());
    program_->buffers.push_back({Place::storage, storage->bytes(), 0, -1, storage, false});
    buffers_.emplace(storage.get(), index);
    return index;
}

Operand Recorder::operand(const TensorView& view, const StorageRef& storage, bool is_output) {
    if (view.is_host_scalar) return {view, -1, 0};
    const int32_t index = buffer_of(storage);
    Buffer& buffer = program_->buffers[static_cast<size_t>(index)];
    if (is_output) {
        if (buffer.place == Place::input)
            fail("a captured step must not write into its inputs; clone() the tensor first");
        if (constants_.count(storage.get()) != 0)
            fail(
                "a captured step writes into a tensor that it made from JavaScript values, which is made "
                "once "
                "only; make it with zeros() or full(), or outside the step");
        buffer.is_written = true;
    }
    return {view, index, static_cast<char*>(view.data) - static_cast<char*>(storage->data())};
}

int32_t Recorder::record(const RecordedCall& call) {
    if (device_ >= 0 && call.device != device_)
        fail("a captured step works on one device, but uses %s and %s; move its tensors before the step",
             device_name(device_).c_str(), device_name(call.device).c_str());
    device_ = call.device;
    const int32_t first_slot = static_cast<int32_t>(program_->slots.size());
    Instruction instruction{};
    instruction.op = call.op;
    instruction.input_count = call.input_count;
    instruction.numbers.resize(static_cast<size_t>(call.input_count + call.output_count));
    for (int32_t i = 0; i < call.input_count; ++i) {
        const TensorView& view = call.inputs[i];
        instruction.operands.push_back(operand(view, call.input_storage[i], false));
        if (view.is_host_scalar)
            instruction.numbers[static_cast<size_t>(i)] = *static_cast<const double*>(view.data);
    }
    for (int32_t i = 0; i < call.output_count; ++i)
        instruction.operands.push_back(operand(call.outputs[i], call.output_storage[i], true));
    const char* params = static_cast<const char*>(call.params);
    instruction.params.assign(params, params + call.params_size);
    for (const RecordedSlot& slot : call.slots) {
        instruction.slots.push_back({slot.offset, static_cast<int32_t>(program_->slots.size())});
        program_->slots.push_back(slot.value);
    }
    program_->instructions.push_back(std::move(instruction));
    return first_slot;
}

Buffer& Recorder::buffer_made_here(const Storage& storage) {
    const auto found = buffers_.find(&storage);
    if (found == buffers_.end()) fail("[capture] a tensor that lives on is not of this step");
    return program_->buffers[static_cast<size_t>(found->second)];
}

void Recorder::add_result(const TensorView& view, const StorageRef& storage) {
    if (!is_row_major(view)) fail("[capture] a result must be contiguous");
    const Operand source = operand(view, storage, false);
    const int64_t bytes = element_count(view) * static_cast<int64_t>(item_size(view.dtype));
    program_->results.push_back({view, source.buffer, source.byte_offset, bytes});
}

std::shared_ptr<Program> Recorder::plan(const std::vector<int32_t>& changing_slots, bool fused) const {
    for (const int32_t slot : changing_slots) {
        if (slot < 0 || slot >= static_cast<int32_t>(program_->slots.size()))
            fail("[capture] no slot %d", slot);
    }
    auto program = std::make_shared<Program>();
    program->device = device();
    program->buffers = program_->buffers;
    program->inputs = program_->inputs;
    program->results = program_->results;
    program->slots = program_->slots;
    program->changing_slots = changing_slots;
    for (const Instruction& instruction : program_->instructions)
        program->instructions.push_back(instruction);
    if (fused) fuse_calls(*program);
    remove_unread(*program);
    place_temporaries(*program);
    return program;
}

}  // namespace nativegrad
