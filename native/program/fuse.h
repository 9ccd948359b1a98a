// Rewrites calls of a program into fused ones that do the same in fewer passes over memory. Only temporaries
// that nobody else sees disappear. One file a family of rules.
#pragma once

#include "program/rewrite.h"

namespace nativegrad {

// All families, in the order in which they feed each other.
void fuse_calls(Program& program);

// Marks the buffers that hold, or are computed from, sums in another order than that of the step. What the
// others hold has the bits of the single calls; on another device than the CPU no fused call promises that.
void mark_reordered(Program& program);

// How an optimizer's call lists its parameters: groups of (parameter, gradient, state ...), all of them
// outputs. 0 for other calls.
size_t update_group_size(const Instruction& call);

// The groups of a call that updates parameters, with their gradients made before or in the same call: the
// first `tensors` of a group, then the copy in 16 bits where `casts`, then what else there is.
struct UpdateGroups {
    size_t first, size, tensors;
    bool casts;
};
std::optional<UpdateGroups> update_groups(const Instruction& call);

// Whether such a call takes the buffer for gradients alone, which it reads.
bool reads_as_gradient(const Instruction& call, int32_t buffer);

// Gives each group of such a call room for a copy; none has one yet.
void add_copies(Instruction& call);

// Batch norm with the relu behind it, and with the 2 x 2 max-pooling behind that, forward and backward; the
// statistics of a batch norm behind a convolution come from the convolution. Forward has the bits of the
// single calls, and so has backward with relu alone; with pooling the sums of backward run over the windows
// in place of the pixels, and a convolution joins its statistics in another order.
void fuse_batch_norms(Rewrite& rewrite);

// The gradient of relu behind that of a max-pooling goes in front of it, where there are fewer elements. The
// bits are those of the calls as they were.
void fuse_pools(Rewrite& rewrite);

// A convolution with the relu behind it; the gradient of its input with that of the relu in front of it. The
// bits are those of the single calls.
void fuse_convolutions(Rewrite& rewrite);

// A linear layer with the activation behind it, or with the function of two operands that adds a residual;
// its input gradient with the activation's backward pass; its weight gradient with the sums that are its bias
// gradient. The bits are those of the single calls.
void fuse_linear_layers(Rewrite& rewrite);

// A linear layer's gradients with the optimizer's step, where nobody else sees the gradients. The bits are
// those of the single calls.
void fuse_updates(Rewrite& rewrite);

// What comes from outside in float32, parameters above all, becomes float16 or bfloat16 in one call: before a
// run where nothing changes it but an optimizer's step, which then writes the next copy. The bits are those
// of the single calls.
void fuse_casts(Rewrite& rewrite);

// Small tensors that are filled with the same number in each step are filled before a run.
void lead_constants(Rewrite& rewrite);

// Chains of elementwise functions of floats, in one pass. The bits are those of the single calls.
void fuse_chains(Rewrite& rewrite);

}  // namespace nativegrad
