// Rewrites calls of a program into fused ones that do the same in fewer passes over memory.
#pragma once

#include "program/program.h"

namespace nativegrad {

// Batch norm with the relu behind it, and with the 2 x 2 max-pooling behind that, forward and backward; the
// statistics of a batch norm behind a convolution come from the convolution. Only
// temporaries that nobody else sees disappear. Forward has the bits of the single calls, and so has backward
// with relu alone; with pooling the sums of backward run over the windows in place of the pixels, and a
// convolution joins its statistics in another order.
void fuse_batch_norms(Program& program);

}  // namespace nativegrad
