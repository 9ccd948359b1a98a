#include "program/fuse.h"

namespace nativegrad {

namespace {

constexpr size_t most_steps = 2 * max_rank, most_operands = 2 * max_rank;
constexpr int64_t unary_count = static_cast<int64_t>(UnaryFunction::count);

bool is_elementwise(const Instruction& call) { return call.op == OpCode::unary || call.op == OpCode::binary; }

class ChainRules {
  public:
    explicit ChainRules(Rewrite& rewrite) : r_(rewrite) {}

    void run() {
        for (size_t call = 0; call < r_.calls.size(); ++call) {
            if (r_.removed[call] || !can_join(call)) continue;
            const std::vector<size_t> members = grown_from(call);
            if (members.size() > 1) join(members);
        }
    }

  private:
    // A function of floats whose operands all have the result's layout, or are rows or numbers.
    bool can_join(size_t call) {
        if (!is_elementwise(r_.calls[call])) return false;
        const Operand out = r_.output(call, 0);
        if (!is_float(out.view.dtype) || !is_dense(out.view) || element_count(out.view) == 0) return false;
        for (int32_t i = 0; i < r_.calls[call].input_count; ++i) {
            const Operand& x = r_.input(call, static_cast<size_t>(i));
            if (x.buffer == out.buffer) return false;
            const bool is_number = x.buffer < 0 || is_one_value(x.view);
            if (!is_number && (x.view.dtype != out.view.dtype || !(same_layout(x, out) || is_row(x, out))))
                return false;
        }
        return true;
    }

    static bool is_row(const Operand& x, const Operand& out) {
        const int32_t last = x.view.rank - 1;
        return x.view.rank > 0 && out.view.rank > 0 && is_row_major(out.view) && x.view.strides[last] == 1 &&
               element_count(x.view) == x.view.shape[last] &&
               x.view.shape[last] == out.view.shape[out.view.rank - 1];
    }

    // Calls behind `first` that use what the chain makes, as long as it may wait for the last of them.
    std::vector<size_t> grown_from(size_t first) {
        std::vector<size_t> members{first};
        const Operand out = r_.output(first, 0);
        for (size_t call = first + 1; call < r_.calls.size() && members.size() < most_steps; ++call) {
            if (r_.removed[call] || !is_one_of_layout(call, out) || !reads_any(call, members)) continue;
            if (!grow(members, with_producers(members, call))) grow(members, {call});
        }
        return members;
    }

    bool grow(std::vector<size_t>& members, const std::vector<size_t>& more) {
        std::vector<size_t> grown = members;
        grown.insert(grown.end(), more.begin(), more.end());
        std::sort(grown.begin(), grown.end());
        if (grown.size() > most_steps || operands_of(grown) > most_operands || !may_wait(grown)) return false;
        members = std::move(grown);
        return true;
    }

    // The call, and what else it needs that can be made in the chain.
    std::vector<size_t> with_producers(const std::vector<size_t>& members, size_t call) {
        std::vector<size_t> found{call};
        for (size_t next = 0; next < found.size(); ++next) {
            const Instruction& instruction = r_.calls[found[next]];
            for (int32_t i = 0; i < instruction.input_count; ++i) {
                const Operand& x = instruction.operands[static_cast<size_t>(i)];
                if (!r_.is_in_arena(x)) continue;
                const Uses uses = r_.uses_of(x.buffer);
                if (uses.writers.size() != 1) continue;
                const size_t made = uses.writers[0];
                const bool is_known = std::count(members.begin(), members.end(), made) != 0 ||
                                      std::count(found.begin(), found.end(), made) != 0;
                if (!is_known && made > members.front() && made < call && is_one_of_layout(made, x))
                    found.push_back(made);
            }
        }
        return found;
    }

    bool is_one_of_layout(size_t call, const Operand& out) {
        return can_join(call) && same_layout(r_.output(call, 0), out);
    }

    bool reads_any(size_t call, const std::vector<size_t>& members) {
        for (int32_t i = 0; i < r_.calls[call].input_count; ++i) {
            if (step_of(r_.input(call, static_cast<size_t>(i)), members)) return true;
        }
        return false;
    }

    // The member that makes this operand.
    std::optional<size_t> step_of(const Operand& operand, const std::vector<size_t>& members) {
        for (size_t step = 0; step < members.size(); ++step) {
            if (operand.buffer >= 0 && same_view(operand, r_.output(members[step], 0))) return step;
        }
        return std::nullopt;
    }

    size_t operands_of(const std::vector<size_t>& members) {
        size_t count = 0;
        for (const size_t member : members) count += static_cast<size_t>(r_.calls[member].input_count);
        return count;
    }

    // The members may run where `last` stands: until then nobody reads what they make but members, and nobody
    // writes what they read.
    bool may_wait(const std::vector<size_t>& members) {
        const size_t last = members.back();
        for (const size_t member : members) {
            if (member == last) break;
            const Operand made = r_.output(member, 0);
            if (!r_.is_in_arena(made) || !r_.is_written_once(made)) return false;
            for (const size_t reader : r_.uses_of(made.buffer).readers) {
                const bool is_member = std::count(members.begin(), members.end(), reader) != 0;
                if (reader < last && !is_member) return false;
                if (is_member && !reads_whole(reader, made)) return false;
            }
            for (int32_t i = 0; i < r_.calls[member].input_count; ++i) {
                const Operand& x = r_.input(member, static_cast<size_t>(i));
                if (!r_.is_unwritten(x, member, last) || x.buffer == r_.output(last, 0).buffer) return false;
            }
        }
        return true;
    }

    // Each use of this buffer by the call is that of the whole tensor.
    bool reads_whole(size_t call, const Operand& made) {
        for (int32_t i = 0; i < r_.calls[call].input_count; ++i) {
            const Operand& x = r_.input(call, static_cast<size_t>(i));
            if (x.buffer == made.buffer && !same_view(x, made)) return false;
        }
        return true;
    }

    bool is_seen_outside(size_t call, const std::vector<size_t>& members) {
        const Operand& made = r_.output(call, 0);
        if (call == members.back() || !r_.is_temporary(made)) return true;
        const Uses uses = r_.uses_of(made.buffer);
        return std::any_of(uses.readers.begin(), uses.readers.end(), [&](size_t reader) {
            return std::count(members.begin(), members.end(), reader) == 0;
        });
    }

    // The number of an operand of the chain; a new one if need be.
    int64_t place_of(const Operand& operand, double number, Instruction& chain,
                     std::vector<double>& numbers) {
        for (size_t i = 0; i < chain.operands.size(); ++i) {
            const Operand& known = chain.operands[i];
            const bool is_same =
                operand.buffer < 0 ? known.buffer < 0 && std::memcmp(&numbers[i], &number, sizeof number) == 0
                                   : same_view(known, operand);
            if (is_same) return static_cast<int64_t>(i);
        }
        chain.operands.push_back(operand);
        numbers.push_back(number);
        return static_cast<int64_t>(chain.operands.size()) - 1;
    }

    void join(const std::vector<size_t>& members) {
        Instruction chain{};
        chain.op = OpCode::chain;
        ChainParams params{};
        std::vector<double> numbers;
        for (size_t step = 0; step < members.size(); ++step) add_step(members, step, chain, numbers, params);
        const int64_t inputs = static_cast<int64_t>(chain.operands.size());
        // Steps are counted behind the inputs, whose number is known only now.
        for (size_t step = 0; step < members.size(); ++step) {
            for (IntList* list : {&params.lefts, &params.rights}) {
                int64_t& operand = list->values[step];
                if (operand < 0) operand = inputs - 1 - operand;
            }
        }
        chain.input_count = static_cast<int32_t>(inputs);
        for (size_t step = 0; step < members.size(); ++step) {
            if (!is_seen_outside(members[step], members)) continue;
            chain.operands.push_back(r_.output(members[step], 0));
            params.outputs.values[params.outputs.count++] = static_cast<int64_t>(step);
        }
        numbers.resize(chain.operands.size());
        chain.numbers = std::move(numbers);
        // Steps that there are not get constants as well, so that every slot points to a number.
        const int32_t any = chain.slots.front().slot;
        for (size_t step = members.size(); step < most_steps; ++step) {
            chain.slots.push_back({offsetof(ChainParams, p0) + step * sizeof(ScalarSlot), any});
            chain.slots.push_back({offsetof(ChainParams, p1) + step * sizeof(ScalarSlot), any});
        }
        const char* bytes = reinterpret_cast<const char*>(&params);
        chain.params.assign(bytes, bytes + sizeof params);
        for (const size_t member : members) r_.removed[member] = true;
        r_.removed[members.back()] = false;
        r_.calls[members.back()] = std::move(chain);
    }

    // Results of step s are noted as -1 - s.
    void add_step(const std::vector<size_t>& members, size_t step, Instruction& chain,
                  std::vector<double>& numbers, ChainParams& params) {
        const Instruction& call = r_.calls[members[step]];
        const bool is_binary = call.op == OpCode::binary;
        // Both kinds of calls have the same parameters.
        static_assert(sizeof(UnaryParams) == sizeof(BinaryParams) &&
                      offsetof(UnaryParams, p0) == offsetof(BinaryParams, p0) &&
                      offsetof(UnaryParams, p1) == offsetof(BinaryParams, p1));
        const int64_t function = params_of<UnaryParams>(call).function;
        params.functions.values[params.functions.count++] = is_binary ? unary_count + function : function;
        const std::vector<size_t> earlier(members.begin(),
                                          members.begin() + static_cast<std::ptrdiff_t>(step));
        for (size_t i = 0; i < 2; ++i) {
            IntList& list = i == 0 ? params.lefts : params.rights;
            int64_t operand = 0;
            if (i == 0 || is_binary) {
                const Operand& x = call.operands[i];
                const auto made = step_of(x, earlier);
                operand =
                    made ? -1 - static_cast<int64_t>(*made) : place_of(x, call.numbers[i], chain, numbers);
            }
            list.values[list.count++] = operand;
        }
        for (const SlotField& slot : call.slots) {
            const bool is_first = slot.offset == offsetof(UnaryParams, p0);
            const size_t array = is_first ? offsetof(ChainParams, p0) : offsetof(ChainParams, p1);
            chain.slots.push_back({array + step * sizeof(ScalarSlot), slot.slot});
        }
    }

    Rewrite& r_;
};

}  // namespace

void fuse_chains(Rewrite& rewrite) { ChainRules(rewrite).run(); }

}  // namespace nativegrad
