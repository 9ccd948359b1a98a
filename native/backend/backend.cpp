#include "backend/backend.h"

#include <cstring>

#include "backend/error.h"

namespace nativegrad {

namespace {

// Advances every per-model tensor of the call by one model.
void shift_models(TensorView* views, int32_t count) {
    for (int32_t i = 0; i < count; ++i) {
        TensorView& view = views[i];
        view.data =
            static_cast<char*>(view.data) + view.model_stride * static_cast<int64_t>(item_size(view.dtype));
    }
}

struct SlotShifter {
    void operator()(const char*, ScalarSlot& slot) { ++slot.values; }
    template <class Field>
    void operator()(const char*, Field&) {}
};

template <class Params>
void run_each_model(OpFunction function, const OpCall& call, ErrorMessage& error, int32_t& status) {
    constexpr int32_t max_operands = 64;
    if (call.input_count > max_operands || call.output_count > max_operands)
        fail("more than 64 operands per model");
    TensorView inputs[max_operands], outputs[max_operands];
    std::memcpy(inputs, call.inputs, sizeof(TensorView) * static_cast<size_t>(call.input_count));
    std::memcpy(outputs, call.outputs, sizeof(TensorView) * static_cast<size_t>(call.output_count));
    Params params = *static_cast<const Params*>(call.params);
    OpCall single{1, call.input_count, call.output_count, inputs, outputs, &params, call.where};
    for (int32_t model = 0; model < call.models && status == 0; ++model) {
        status = function(&single, &error);
        shift_models(inputs, call.input_count);
        shift_models(outputs, call.output_count);
        SlotShifter shifter;
        params.fields(shifter);
    }
}

}  // namespace

void run_op(const BackendTable& backend, OpCode op, const OpCall& call) {
    ErrorMessage error{};
    int32_t status = 0;
    const OpFunction function = backend.ops[static_cast<int32_t>(op)];
    if (call.models == 1) {
        status = function(&call, &error);
    } else {
        switch (op) {
#define X(name, Params, layout)                                \
    case OpCode::name:                                         \
        run_each_model<Params>(function, call, error, status); \
        break;
#include "ops/op_table.def"
#undef X
            case OpCode::count:
                break;
        }
    }
    if (status != 0) throw Error(static_cast<Status>(status), error.text);
}

}  // namespace nativegrad
