#include "program/fuse.h"

namespace nativegrad {

namespace {

// What lasts takes room for itself in the arena.
constexpr int64_t most_bytes = 4096;

}  // namespace

void lead_constants(Rewrite& rewrite) {
    for (size_t call = 0; call < rewrite.calls.size(); ++call) {
        if (rewrite.removed[call] || rewrite.calls[call].op != OpCode::fill) continue;
        const Operand& out = rewrite.output(call, 0);
        if (!rewrite.is_temporary(out) || !rewrite.is_written_once(out)) continue;
        const bool is_small = rewrite.program.buffers[static_cast<size_t>(out.buffer)].bytes <= most_bytes;
        if (is_small) rewrite.lead(call);
    }
}

}  // namespace nativegrad
