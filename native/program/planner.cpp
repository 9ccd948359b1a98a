#include "program/planner.h"

#include <algorithm>

namespace nativegrad {

namespace {

constexpr int64_t alignment = 64;

struct Lifetime {
    int32_t buffer;
    int64_t bytes;
    int32_t first, last;  // calls that touch it
};

int64_t aligned(int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::vector<Lifetime> lifetimes(const Program& program) {
    std::vector<Lifetime> all(program.buffers.size());
    for (size_t i = 0; i < all.size(); ++i)
        all[i] = {static_cast<int32_t>(i), aligned(program.buffers[i].bytes), -1, -1};
    for (size_t call = 0; call < program.instructions.size(); ++call) {
        for (const Operand& operand : program.instructions[call].operands) {
            if (operand.buffer < 0) continue;
            Lifetime& lifetime = all[static_cast<size_t>(operand.buffer)];
            if (lifetime.first < 0) lifetime.first = static_cast<int32_t>(call);
            lifetime.last = static_cast<int32_t>(call);
        }
    }
    const auto end = static_cast<int32_t>(program.instructions.size());
    for (const ProgramResult& result : program.results) all[static_cast<size_t>(result.buffer)].last = end;
    for (Lifetime& lifetime : all) {
        if (lifetime.first >= 0 && program.buffers[static_cast<size_t>(lifetime.buffer)].lasts)
            lifetime.first = 0, lifetime.last = end;
    }
    const auto is_elsewhere = [&](const Lifetime& lifetime) {
        return lifetime.first < 0 ||
               program.buffers[static_cast<size_t>(lifetime.buffer)].place != Place::arena;
    };
    all.erase(std::remove_if(all.begin(), all.end(), is_elsewhere), all.end());
    return all;
}

struct Placed {
    int64_t begin, end;
    int32_t first, last;
};

// The lowest gap of `bytes` among those that live meanwhile; `placed` is sorted by begin.
int64_t lowest_gap(const std::vector<Placed>& placed, const Lifetime& lifetime) {
    int64_t position = 0;
    for (const Placed& other : placed) {
        if (other.last < lifetime.first || lifetime.last < other.first) continue;
        if (other.begin - position >= lifetime.bytes) return position;
        position = std::max(position, other.end);
    }
    return position;
}

}  // namespace

void remove_unread(Program& program) {
    std::vector<bool> is_read(program.buffers.size(), false);
    std::vector<bool> is_needed(program.instructions.size(), false);
    for (const ProgramResult& result : program.results) is_read[static_cast<size_t>(result.buffer)] = true;
    for (size_t call = program.instructions.size(); call-- > 0;) {
        const Instruction& instruction = program.instructions[call];
        const size_t inputs = static_cast<size_t>(instruction.input_count);
        for (size_t i = inputs; i < instruction.operands.size() && !is_needed[call]; ++i) {
            const size_t buffer = static_cast<size_t>(instruction.operands[i].buffer);
            is_needed[call] = is_read[buffer] || program.buffers[buffer].place != Place::arena;
        }
        if (!is_needed[call]) continue;
        // Outputs count as read: a call may write a part, or in place.
        for (const Operand& operand : instruction.operands) {
            if (operand.buffer >= 0) is_read[static_cast<size_t>(operand.buffer)] = true;
        }
    }
    const auto first = is_needed.begin();
    program.leading =
        static_cast<size_t>(std::count(first, first + static_cast<std::ptrdiff_t>(program.leading), true));
    size_t kept = 0;
    for (size_t call = 0; call < program.instructions.size(); ++call) {
        if (!is_needed[call]) continue;
        if (kept != call) program.instructions[kept] = std::move(program.instructions[call]);
        ++kept;
    }
    program.instructions.erase(program.instructions.begin() + static_cast<std::ptrdiff_t>(kept),
                               program.instructions.end());
}

void place_temporaries(Program& program) {
    std::vector<Lifetime> pending = lifetimes(program);
    std::sort(pending.begin(), pending.end(), [](const Lifetime& a, const Lifetime& b) {
        return a.bytes != b.bytes ? a.bytes > b.bytes : a.buffer < b.buffer;
    });
    std::vector<Placed> placed;
    program.arena_bytes = 0;
    for (const Lifetime& lifetime : pending) {
        const int64_t begin = lowest_gap(placed, lifetime);
        const Placed here{begin, begin + lifetime.bytes, lifetime.first, lifetime.last};
        placed.insert(std::upper_bound(placed.begin(), placed.end(), here,
                                       [](const Placed& a, const Placed& b) { return a.begin < b.begin; }),
                      here);
        program.buffers[static_cast<size_t>(lifetime.buffer)].offset = begin;
        program.arena_bytes = std::max(program.arena_bytes, here.end);
    }
}

int64_t least_arena_bytes(const Program& program) {
    std::vector<int64_t> alive(program.instructions.size() + 1, 0);
    for (const Lifetime& lifetime : lifetimes(program)) {
        for (int32_t call = lifetime.first; call <= lifetime.last; ++call)
            alive[static_cast<size_t>(call)] += lifetime.bytes;
    }
    return *std::max_element(alive.begin(), alive.end());
}

}  // namespace nativegrad
