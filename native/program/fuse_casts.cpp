#include "program/fuse.h"

#include "ops/cast_checks.h"

namespace nativegrad {

namespace {

constexpr size_t most_casts = 64;

class CastRules {
  public:
    explicit CastRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (r_.removed[call] || !is_cast(call)) continue;
            const std::vector<size_t> members = casts_like(call);
            if (members.size() > 1) join(members);
        }
    }

  private:
    // From outside of the program to a temporary that nothing else writes.
    bool is_cast(size_t call) {
        const OpCode op = r_.calls[call].op;
        if (op != OpCode::copy && op != OpCode::contiguous) return false;
        const Operand &x = r_.input(call, 0), &out = r_.output(call, 0);
        return x.buffer >= 0 && !r_.is_in_arena(x) && x.view.dtype == DType::float32 &&
               is_low_precision(out.view.dtype) && have_one_order(x.view, out.view) && r_.is_temporary(out) &&
               r_.is_written_once(out);
    }

    // The call and later ones that might as well run with it.
    std::vector<size_t> casts_like(size_t first) {
        std::vector<size_t> members{first};
        for (size_t call = first + 1; call < r_.calls.size() && members.size() < most_casts; ++call) {
            if (r_.removed[call] || !is_cast(call)) continue;
            const Operand &x = r_.input(call, 0), &out = r_.output(call, 0);
            if (out.view.dtype == r_.output(first, 0).view.dtype && r_.is_unwritten(x, first, call) &&
                r_.is_untouched(out, first, call))
                members.push_back(call);
        }
        return members;
    }

    void join(const std::vector<size_t>& members) {
        std::vector<Operand> inputs, outputs;
        for (const size_t member : members) {
            inputs.push_back(r_.input(member, 0));
            outputs.push_back(r_.output(member, 0));
            r_.removed[member] = true;
        }
        r_.removed[members[0]] = false;
        r_.replace(members[0], OpCode::cast_all, inputs, outputs, Instruction{});
    }

    Rewrite& r_;
};

}  // namespace

void fuse_casts(Rewrite& rewrite) { CastRules(rewrite).run(); }

}  // namespace nativegrad
