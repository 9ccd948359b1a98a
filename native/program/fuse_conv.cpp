#include "program/fuse.h"

namespace nativegrad {

namespace {

bool one_float(const Instruction& call) {
    const DType dtype = call.operands.back().view.dtype;
    return is_float(dtype) && std::all_of(call.operands.begin(), call.operands.end(), [&](const Operand& x) {
               return x.buffer >= 0 && x.view.dtype == dtype;
           });
}

bool is_relu(const Instruction& call) {
    return call.op == OpCode::unary &&
           params_of<UnaryParams>(call).function == static_cast<int32_t>(UnaryFunction::relu);
}

// The call whose only purpose is to apply relu to what this convolution made; backward passes read relu's
// result, not what is in front of it.
std::optional<size_t> relu_behind(const Rewrite& rewrite, const Operand& made) {
    const auto uses = rewrite.private_uses(made, 1);
    if (!uses || !is_relu(rewrite.calls[uses->readers[0]])) return std::nullopt;
    return uses->readers[0];
}

}  // namespace

void fuse_convolutions(Rewrite& rewrite) {
    for (size_t conv = 0; conv < rewrite.calls.size(); ++conv) {
        Instruction& call = rewrite.calls[conv];
        if (rewrite.removed[conv] || call.op != OpCode::conv2d || !one_float(call)) continue;
        const Operand made = rewrite.output(conv, 0);
        const auto relu = relu_behind(rewrite, made);
        if (!relu || !same_view(rewrite.input(*relu, 0), made)) continue;
        const Operand activated = rewrite.output(*relu, 0);
        const bool is_read = std::any_of(call.operands.begin(), call.operands.end(),
                                         [&](const Operand& x) { return x.buffer == activated.buffer; });
        if (!same_layout(activated, made) || is_read || !rewrite.is_untouched(activated, conv, *relu))
            continue;
        rewrite.output(conv, 0) = activated;
        call.op = OpCode::conv2d_relu;
        rewrite.removed[*relu] = true;
    }
}

}  // namespace nativegrad
