#include "program/fuse.h"

namespace nativegrad {

void fuse_calls(Program& program) {
    Rewrite rewrite(program);
    fuse_batch_norms(rewrite);
    fuse_pools(rewrite);
    fuse_convolutions(rewrite);
    fuse_linear_layers(rewrite);
    fuse_updates(rewrite);
    fuse_chains(rewrite);
    rewrite.finish();
}

}  // namespace nativegrad
