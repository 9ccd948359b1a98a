#include "program/fuse.h"

#include <algorithm>

namespace nativegrad {

namespace {

// The operands in [first, first + count): what is written to is computed from what is read.
void spread_mark(Program& program, const Instruction& call, size_t first, size_t count, bool reorders) {
    const auto is_marked = [&](size_t i) {
        const int32_t buffer = call.operands[i].buffer;
        return buffer >= 0 && program.buffers[static_cast<size_t>(buffer)].is_reordered;
    };
    bool mark = reorders;
    for (size_t i = first; i < first + count; ++i) mark = mark || is_marked(i);
    if (!mark) return;
    for (size_t i = std::max(first, static_cast<size_t>(call.input_count)); i < first + count; ++i)
        program.buffers[static_cast<size_t>(call.operands[i].buffer)].is_reordered = true;
}

}  // namespace

void mark_reordered(Program& program) {
    const bool is_elsewhere = program.device != 0;
    for (const Instruction& call : program.instructions) {
        const size_t group = update_group_size(call), size = group > 0 ? group : call.operands.size();
        for (size_t first = 0; first < call.operands.size(); first += size)
            spread_mark(program, call, first, size, call.reorders || is_elsewhere);
    }
}

void fuse_calls(Program& program) {
    Rewrite rewrite(program);
    fuse_batch_norms(rewrite);
    fuse_pools(rewrite);
    fuse_convolutions(rewrite);
    fuse_linear_layers(rewrite);
    fuse_updates(rewrite);
    fuse_casts(rewrite);
    lead_constants(rewrite);
    fuse_chains(rewrite);
    rewrite.finish();
    mark_reordered(program);
}

}  // namespace nativegrad
