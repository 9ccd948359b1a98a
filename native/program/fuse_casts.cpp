#include "ops/cast_checks.h"
#include "program/fuse.h"

namespace nativegrad {

namespace {

constexpr size_t most_casts = 64;

class CastRules {
  public:
    explicit CastRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        each_cast([&](size_t call) { share_with_later(call); });
        each_cast([&](size_t call) { lead_where_kept(call); });
        each_cast([&](size_t call) {
            const std::vector<size_t> members = casts_like(call);
            if (members.size() > 1) join(members);
        });
    }

  private:
    template <class Body>
    void each_cast(const Body& body) {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (!r_.removed[call] && is_cast(call)) body(call);
        }
    }

    // From outside of the program to a temporary that nothing else writes, but for who keeps it.
    bool is_cast(size_t call) {
        const OpCode op = r_.calls[call].op;
        if (op != OpCode::copy && op != OpCode::contiguous) return false;
        const Operand &x = r_.input(call, 0), &out = r_.output(call, 0);
        return x.buffer >= 0 && !r_.is_in_arena(x) && x.view.dtype == DType::float32 &&
               is_low_precision(out.view.dtype) && have_one_order(x.view, out.view) && r_.is_temporary(out) &&
               (r_.leads[call] || r_.is_written_once(out));
    }

    // Later casts of the same elements to the same dtype read what this one made.
    void share_with_later(size_t first) {
        const Operand x = r_.input(first, 0), out = r_.output(first, 0);
        for (size_t call = first + 1; call < r_.calls.size(); ++call) {
            if (r_.removed[call] || !is_cast(call) || !same_view(r_.input(call, 0), x)) continue;
            const Operand other = r_.output(call, 0);
            if (other.view.dtype != out.view.dtype || other.byte_offset != out.byte_offset) continue;
            if (!r_.is_unwritten(x, first, call)) return;
            r_.removed[call] = true;
            for (Instruction& reader : r_.calls) {
                for (Operand& operand : reader.operands) {
                    if (operand.buffer == other.buffer) operand.buffer = out.buffer;
                }
            }
        }
    }

    // Before a run, where what is cast stays as it is or the call that changes it writes the next copy.
    void lead_where_kept(size_t call) {
        const Operand &x = r_.input(call, 0), &out = r_.output(call, 0);
        if (r_.program.buffers[static_cast<size_t>(x.buffer)].place != Place::storage) return;
        const std::vector<size_t> writers = writers_of(x.buffer);
        if (writers.empty()) return r_.lead(call);
        const bool is_one =
            std::all_of(writers.begin(), writers.end(), [&](size_t writer) { return writer == writers[0]; });
        if (is_one && writers[0] > call && keep_copy(writers[0], x, out)) r_.lead(call);
    }

    // Without those that only read it, as the update of a moving average reads the weights.
    std::vector<size_t> writers_of(int32_t buffer) const {
        std::vector<size_t> writers = r_.uses_of(buffer).writers;
        const auto reads = [&](size_t call) { return reads_as_gradient(r_.calls[call], buffer); };
        writers.erase(std::remove_if(writers.begin(), writers.end(), reads), writers.end());
        return writers;
    }

    // Has the update write the copy of its parameter x; false where it cannot, or somebody reads the old copy
    // after it.
    bool keep_copy(size_t update, const Operand& x, const Operand& out) {
        const std::vector<size_t> readers = r_.uses_of(out.buffer).readers;
        Instruction& call = r_.calls[update];
        std::optional<UpdateGroups> groups = update_groups(call);
        if (!groups || std::any_of(readers.begin(), readers.end(), [&](size_t i) { return i >= update; }))
            return false;
        const std::optional<size_t> parameter = parameter_of(call, *groups, x);
        if (!parameter || !holds_only(call, *groups, out.view.dtype)) return false;
        if (!groups->casts) add_copies(call);
        groups = update_groups(call);
        call.operands[groups->first + *parameter * groups->size + groups->tensors] = out;
        return true;
    }

    // Which of the update's parameters it is; none where the update has other uses of its memory.
    static std::optional<size_t> parameter_of(const Instruction& call, const UpdateGroups& groups,
                                              const Operand& x) {
        for (const Operand& operand : call.operands) {
            if (operand.buffer == x.buffer && !same_view(operand, x)) return std::nullopt;
        }
        for (size_t i = groups.first, number = 0; i < call.operands.size(); i += groups.size, ++number) {
            if (same_view(call.operands[i], x)) return number;
        }
        return std::nullopt;
    }

    // The copies of one call have one dtype.
    static bool holds_only(const Instruction& call, const UpdateGroups& groups, DType dtype) {
        for (size_t i = groups.first; groups.casts && i < call.operands.size(); i += groups.size) {
            const DType held = call.operands[i + groups.tensors].view.dtype;
            if (is_low_precision(held) && held != dtype) return false;
        }
        return true;
    }

    // The call and later ones that might as well run with it.
    std::vector<size_t> casts_like(size_t first) {
        std::vector<size_t> members{first};
        for (size_t call = first + 1; call < r_.calls.size() && members.size() < most_casts; ++call) {
            if (r_.removed[call] || !is_cast(call) || r_.leads[call] != r_.leads[first]) continue;
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
