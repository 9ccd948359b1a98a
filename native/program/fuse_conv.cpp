#include "program/fuse.h"

namespace nativegrad {

namespace {

bool reads(const Instruction& call, const Operand& operand) {
    return std::any_of(call.operands.begin(), call.operands.end(),
                       [&](const Operand& x) { return x.buffer == operand.buffer; });
}

// The call whose only purpose is to apply relu to what this convolution made; backward passes read relu's
// result, not what is in front of it.
std::optional<size_t> relu_behind(const Rewrite& rewrite, const Operand& made) {
    const auto uses = rewrite.private_uses(made, 1);
    if (!uses || !is_relu(rewrite.calls[uses->readers[0]])) return std::nullopt;
    return uses->readers[0];
}

// y = relu(conv(x))
void fuse_relu(Rewrite& rewrite, size_t conv) {
    Instruction& call = rewrite.calls[conv];
    const Operand made = rewrite.output(conv, 0);
    const auto relu = relu_behind(rewrite, made);
    if (!relu || !same_view(rewrite.input(*relu, 0), made)) return;
    const Operand activated = rewrite.output(*relu, 0);
    if (!same_layout(activated, made) || reads(call, activated) ||
        !rewrite.is_untouched(activated, conv, *relu))
        return;
    rewrite.output(conv, 0) = activated;
    call.op = OpCode::conv2d_relu;
    rewrite.removed[*relu] = true;
}

// dx = the gradient of a convolution's input, where the relu in front of it let something through
void fuse_mask(Rewrite& rewrite, size_t conv) {
    const Instruction& call = rewrite.calls[conv];
    const Operand made = rewrite.output(conv, 0);
    const auto uses = rewrite.private_uses(made, 1);
    if (!uses || call.input_count != 2) return;
    const size_t mask = uses->readers[0];
    if (!is_relu_backward(rewrite.calls[mask]) || !same_view(rewrite.input(mask, 0), made)) return;
    const Operand kept = rewrite.input(mask, 1), masked = rewrite.output(mask, 0);
    if (!same_layout(kept, made) || !same_layout(masked, made) || kept.buffer == made.buffer ||
        kept.buffer == masked.buffer || reads(call, masked) || !rewrite.is_unwritten(kept, conv, mask) ||
        !rewrite.is_untouched(masked, conv, mask))
        return;
    rewrite.replace(conv, OpCode::conv2d_backward_input_relu,
                    {rewrite.input(conv, 0), rewrite.input(conv, 1), kept}, {masked}, Instruction(call));
    rewrite.removed[mask] = true;
}

}  // namespace

void fuse_convolutions(Rewrite& rewrite) {
    for (size_t conv = 0; conv < rewrite.calls.size(); ++conv) {
        const Instruction& call = rewrite.calls[conv];
        if (rewrite.removed[conv] || !has_one_float(call)) continue;
        if (call.op == OpCode::conv2d) fuse_relu(rewrite, conv);
        if (call.op == OpCode::conv2d_backward_input) fuse_mask(rewrite, conv);
    }
}

}  // namespace nativegrad
