#include "program/fuse.h"

namespace nativegrad {

namespace {

class PoolRules {
  public:
    explicit PoolRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (!r_.removed[call] && r_.calls[call].op == OpCode::max_pool2d_backward) mask_early(call);
        }
    }

  private:
    // What a window passes on goes to one pixel, whose value is the window's result: whether relu let that
    // pixel through is known before, of fewer elements.
    void mask_early(size_t back) {
        const Operand dy = r_.input(back, 0), index = r_.input(back, 1), made = r_.output(back, 0);
        const auto uses = r_.private_uses(made, 1);
        if (!uses || made.byte_offset != 0 || !is_dense(dy.view)) return;
        const size_t mask = uses->readers[0];
        if (!is_relu_backward(r_.calls[mask]) || !same_view(r_.input(mask, 0), made)) return;
        const Operand kept = r_.input(mask, 1), masked = r_.output(mask, 0);
        const auto pool = pooling_of(kept, index);
        if (!pool || *pool > back || !same_layout(masked, made)) return;
        const Operand pooled = r_.output(*pool, 0);
        if (!same_layout(pooled, dy) || !stays(pooled, *pool, mask) || !stays(kept, *pool, mask) ||
            !stays(index, *pool, mask) || masked.buffer == index.buffer || masked.buffer == dy.buffer)
            return;
        // Nobody else uses the place of the gradient that is no longer made.
        Operand early = dy;
        early.buffer = made.buffer;
        early.byte_offset = 0;
        r_.program.buffers[static_cast<size_t>(made.buffer)].bytes =
            element_count(dy.view) * static_cast<int64_t>(item_size(dy.view.dtype));
        std::swap(r_.calls[back], r_.calls[mask]);
        r_.calls[back].operands = {dy, pooled, early};
        r_.calls[mask].operands = {early, index, masked};
    }

    // The pooling of `x` whose places those are.
    std::optional<size_t> pooling_of(const Operand& x, const Operand& index) {
        for (const size_t call : r_.uses_of(index.buffer).writers) {
            if (r_.calls[call].op == OpCode::max_pool2d && same_view(r_.input(call, 0), x) &&
                r_.output_count(call) == 2 && same_view(r_.output(call, 1), index))
                return call;
        }
        return std::nullopt;
    }

    bool stays(const Operand& operand, size_t first, size_t last) {
        return r_.is_unwritten(operand, first, last);
    }

    Rewrite& r_;
};

}  // namespace

void fuse_pools(Rewrite& rewrite) { PoolRules(rewrite).run(); }

}  // namespace nativegrad
