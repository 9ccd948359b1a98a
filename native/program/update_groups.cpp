#include "program/fuse.h"

namespace nativegrad {

namespace {

// body(params) with the parameters of an op that updates; false for other ops.
template <class Body>
bool with_update_params(const Instruction& call, const Body& body) {
    switch (call.op) {
        case OpCode::adam_step:
        case OpCode::linear_backward_weight_adam:
            return body(params_of<AdamParams>(call)), true;
        case OpCode::sgd_step:
        case OpCode::linear_backward_weight_sgd:
            return body(params_of<SgdParams>(call)), true;
        case OpCode::rmsprop_step:
            return body(params_of<RmspropParams>(call)), true;
        default:
            return false;
    }
}

size_t state_count(const AdamParams& params) { return params.amsgrad != 0 ? 3 : 2; }
size_t state_count(const SgdParams& params) { return params.has_velocity != 0 ? 1 : 0; }
size_t state_count(const RmspropParams& params) {
    return 1 + (params.centered != 0 ? 1 : 0) + (params.has_velocity != 0 ? 1 : 0);
}

bool makes_gradients(const Instruction& call) {
    return call.op == OpCode::linear_backward_weight_adam || call.op == OpCode::linear_backward_weight_sgd;
}

}  // namespace

std::optional<UpdateGroups> update_groups(const Instruction& call) {
    UpdateGroups groups{};
    groups.first = static_cast<size_t>(call.input_count);
    const bool has_groups = with_update_params(call, [&](const auto& params) {
        groups.tensors = (makes_gradients(call) ? 1 : 2) + state_count(params);
        groups.casts = params.casts != 0;
    });
    if (!has_groups) return std::nullopt;
    // A loss scaler has a count in each group.
    const bool is_scaled = !makes_gradients(call) && call.input_count > 0;
    groups.size = groups.tensors + (groups.casts ? 1 : 0) + (is_scaled ? 1 : 0);
    return groups;
}

bool reads_as_gradient(const Instruction& call, int32_t buffer) {
    const std::optional<UpdateGroups> groups = update_groups(call);
    if (!groups || makes_gradients(call)) return false;
    for (size_t i = groups->first; i < call.operands.size(); ++i) {
        if (call.operands[i].buffer == buffer && (i - groups->first) % groups->size != 1) return false;
    }
    return true;
}

void add_copies(Instruction& call) {
    const UpdateGroups groups = *update_groups(call);
    std::vector<Operand> operands(call.operands.begin(),
                                  call.operands.begin() + static_cast<std::ptrdiff_t>(groups.first));
    for (size_t group = groups.first; group < call.operands.size(); group += groups.size) {
        for (size_t i = 0; i < groups.size; ++i) {
            // The parameter itself says that there is none.
            if (i == groups.tensors) operands.push_back(call.operands[group]);
            operands.push_back(call.operands[group + i]);
        }
        if (groups.size == groups.tensors) operands.push_back(call.operands[group]);
    }
    call.operands = std::move(operands);
    call.numbers.resize(call.operands.size());
    with_update_params(call, [&](auto params) {
        params.casts = 1;
        std::memcpy(call.params.data(), &params, sizeof params);
    });
}

}  // namespace nativegrad
