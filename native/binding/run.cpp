// run(opCode, ...newOutputs): one op, one crossing.
//
// Argument block: input count; per input a handle, or 0 and the value of a number; output count; per output a
// handle (written in place), or 0, device (-1: that of the inputs), dtype, rank and sizes for a new tensor;
// then the op's parameters in the order of op_params.h. On return the block holds, per output, its handle, 1
// if it is row-major, else 0, and its device.
// The JavaScript objects of new outputs follow the op code, in order.
#include <algorithm>
#include <cstring>

#include "binding/argument_reader.h"
#include "binding/environment.h"

namespace nativegrad {

namespace {

constexpr int32_t max_operands = 128;
constexpr size_t max_new_outputs = 8;
constexpr int32_t block_values_per_output = 3;

enum class OutputLayout { row_major, follow, channels_last };

OutputLayout output_layout(OpCode op) {
    static const OutputLayout layouts[] = {
#define X(name, Params, layout) OutputLayout::layout,
#include "ops/op_table.def"
#undef X
    };
    return layouts[static_cast<int32_t>(op)];
}

struct Operands {
    TensorView inputs[max_operands];
    TensorView outputs[max_operands];
    // The JavaScript objects may be collected while the op runs: these keep the memory.
    StorageRef input_storage[max_operands], output_storage[max_operands];
    Handle output_handles[max_operands];
    double scalar_values[max_operands];
    int32_t input_count, output_count;
    int32_t device;
};

DType read_dtype(ArgumentReader& reader) {
    return static_cast<DType>(reader.integer(0, dtype_count - 1, "dtype"));
}

TensorSlot& slot_of(Environment& environment, Handle handle) {
    TensorSlot* slot = environment.handles.find(handle);
    if (slot == nullptr) fail("a tensor was used after it was disposed");
    return *slot;
}

void join_device(Operands& operands, int32_t device) {
    if (operands.device >= 0 && operands.device != device)
        fail("the tensors are on different devices, %s and %s; move one with x.to()",
             device_name(operands.device).c_str(), device_name(device).c_str());
    operands.device = device;
}

void read_inputs(Environment& environment, ArgumentReader& reader, Operands& operands) {
    operands.input_count = static_cast<int32_t>(reader.integer(0, max_operands, "input count"));
    for (int32_t i = 0; i < operands.input_count; ++i) {
        const Handle handle = reader.integer();
        TensorView& view = operands.inputs[i];
        if (handle != 0) {
            const TensorSlot& slot = slot_of(environment, handle);
            check_usable(environment, *slot.storage.get(), false);
            view = slot.view;
            operands.input_storage[i] = slot.storage;
            join_device(operands, slot.device);
            continue;
        }
        std::memset(&view, 0, sizeof view);
        operands.scalar_values[i] = reader.number();
        view.data = &operands.scalar_values[i];
        view.dtype = DType::float64;
        view.is_host_scalar = 1;
    }
}

// Memory order of the first dense tensor operand with the output's shape, else row-major.
void follow_inputs(const Operands& operands, TensorView& out) {
    for (int32_t i = 0; i < operands.input_count; ++i) {
        const TensorView& input = operands.inputs[i];
        const bool same_shape = !input.is_host_scalar && input.rank == out.rank &&
                                std::equal(input.shape, input.shape + input.rank, out.shape);
        if (same_shape && is_dense(input)) {
            std::copy(input.strides, input.strides + input.rank, out.strides);
            return;
        }
    }
    set_row_major_strides(out);
}

int64_t byte_size(const TensorView& view) {
    int64_t bytes = static_cast<int64_t>(item_size(view.dtype));
    for (int32_t axis = 0; axis < view.rank; ++axis) {
        if (__builtin_mul_overflow(bytes, view.shape[axis], &bytes)) fail("the tensor is too large");
    }
    return bytes;
}

void read_new_output(Environment& environment, ArgumentReader& reader, OpCode op, Operands& operands,
                     int32_t i) {
    TensorView& view = operands.outputs[i];
    std::memset(&view, 0, sizeof view);
    const int32_t device = static_cast<int32_t>(reader.integer(-1, device_count() - 1, "device"));
    if (device >= 0) join_device(operands, device);
    if (operands.device < 0) operands.device = 0;
    view.dtype = read_dtype(reader);
    view.rank = static_cast<int32_t>(reader.integer(0, max_rank, "rank"));
    for (int32_t axis = 0; axis < view.rank; ++axis) view.shape[axis] = reader.integer(0, INT64_MAX, "size");
    switch (output_layout(op)) {
        case OutputLayout::row_major:
            set_row_major_strides(view);
            break;
        case OutputLayout::follow:
            follow_inputs(operands, view);
            break;
        case OutputLayout::channels_last:
            set_channels_last_strides(view);
            break;
    }
    Recorder* recorder = environment.active_recorder();
    operands.output_storage[i] = recorder != nullptr ? recorder->temporary(byte_size(view))
                                                     : environment.allocate(operands.device, byte_size(view));
    view.data = operands.output_storage[i]->data();
}

// Returns how many of the outputs are new.
size_t read_outputs(Environment& environment, ArgumentReader& reader, OpCode op, Operands& operands) {
    operands.output_count = static_cast<int32_t>(reader.integer(0, max_operands, "output count"));
    size_t created = 0;
    for (int32_t i = 0; i < operands.output_count; ++i) {
        operands.output_handles[i] = reader.integer();
        if (operands.output_handles[i] == 0) {
            read_new_output(environment, reader, op, operands, i);
            ++created;
            continue;
        }
        const TensorSlot& slot = slot_of(environment, operands.output_handles[i]);
        check_usable(environment, *slot.storage.get(), true);
        slot.storage->note_write();
        operands.outputs[i] = slot.view;
        operands.output_storage[i] = slot.storage;
        join_device(operands, slot.device);
    }
    return created;
}

// Where the slots of a parameter struct lie, and where their values came from.
struct SlotCollector {
    const char* params;
    const double* list;
    std::vector<RecordedSlot> slots{};

    void operator()(const char*, ScalarSlot& field) {
        slots.push_back({static_cast<size_t>(reinterpret_cast<const char*>(&field) - params),
                         static_cast<int32_t>(field.values - list), *field.values});
    }
    template <class Field>
    void operator()(const char*, Field&) {}
};

// Writes the call into the program. On return the block holds, behind handles and layouts of the outputs, the
// number of slots, and for each its position in the parameter list and its number in the program.
template <class Params>
void record(Environment& environment, OpCode op, Operands& operands, Params& params, const double* list) {
    SlotCollector collector{reinterpret_cast<const char*>(&params), list};
    params.fields(collector);
    const std::vector<RecordedSlot> slots = collector.slots;
    const int32_t first = environment.active_recorder()->record(
        {op, operands.device, operands.input_count, operands.output_count, operands.inputs, operands.outputs,
         operands.input_storage, operands.output_storage, &params, sizeof params,
         std::move(collector.slots)});
    double* out = environment.block + block_values_per_output * operands.output_count;
    *out++ = static_cast<double>(slots.size());
    for (size_t i = 0; i < slots.size(); ++i) {
        *out++ = slots[i].position;
        *out++ = first + static_cast<int32_t>(i);
    }
}

template <class Params>
void execute(Environment& environment, OpCode op, Operands& operands, ArgumentReader& reader) {
    const double* list = reader.position();
    Params params{};
    params.fields(reader);
    if (environment.active_recorder() != nullptr) return record(environment, op, operands, params, list);
    const Placement& placement = environment.queues.on(std::max(operands.device, 0));
    const OpCall call{1,       operands.input_count, operands.output_count, operands.inputs, operands.outputs,
                      &params, placement.where};
    run_op(*placement.backend, op, call);
}

void execute(Environment& environment, OpCode op, Operands& operands, ArgumentReader& reader) {
    switch (op) {
#define X(name, Params, layout) \
    case OpCode::name:          \
        return execute<Params>(environment, op, operands, reader);
#include "ops/op_table.def"
#undef X
        case OpCode::count:
            break;
    }
}

void run(napi_env env, Environment& environment, OpCode op, const napi_value* objects, size_t object_count) {
    // Reused by every call of this thread: the views are too many for a stack frame that is cleared each
    // time.
    thread_local Operands operands;
    struct Reset {
        ~Reset() {
            for (int32_t i = 0; i < operands.input_count; ++i) operands.input_storage[i].reset();
            for (int32_t i = 0; i < operands.output_count; ++i) operands.output_storage[i].reset();
        }
    } reset;
    operands.input_count = operands.output_count = 0;
    operands.device = -1;

    ArgumentReader reader(environment.block, environment.block_length);
    read_inputs(environment, reader, operands);
    if (read_outputs(environment, reader, op, operands) != object_count)
        fail("needs one object per new output");
    execute(environment, op, operands, reader);

    size_t created = 0;
    for (int32_t i = 0; i < operands.output_count; ++i) {
        if (operands.output_handles[i] == 0) {
            operands.output_handles[i] =
                environment.handles.insert(objects[created++], std::move(operands.output_storage[i]),
                                           operands.outputs[i], operands.device);
        }
    }
    for (int32_t i = 0; i < operands.output_count; ++i) {
        double* out = environment.block + block_values_per_output * i;
        out[0] = static_cast<double>(operands.output_handles[i]);
        out[1] = is_row_major(operands.outputs[i]) ? 1 : 0;
        out[2] = operands.device;
    }
    (void)env;
}

}  // namespace

napi_value run_function(napi_env env, napi_callback_info info) {
    return guarded(env, [&]() -> napi_value {
        napi_value arguments[1 + max_new_outputs];
        size_t count = 1 + max_new_outputs;
        uint32_t op = 0;
        napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
        if (count < 1 || count > 1 + max_new_outputs ||
            napi_get_value_uint32(env, arguments[0], &op) != napi_ok ||
            op >= static_cast<uint32_t>(op_count)) {
            fail("run takes an op code and the objects of new tensors");
        }
        Environment& environment = environment_of(env);
        if (environment.block == nullptr) fail("ask for the argument block first");
        const OpCode code = static_cast<OpCode>(op);
        try {
            run(env, environment, code, arguments + 1, count - 1);
        } catch (const Error& error) {
            // Backends put the op's name in front; the decoder does not know it.
            const std::string text = error.what();
            if (!text.empty() && text[0] == '[') throw;
            throw Error(error.status, "[" + std::string(op_name(code)) + "] " + text);
        }
        return nullptr;
    });
}

}  // namespace nativegrad
