#include "sim/shared_shadow.h"

#include <algorithm>
#include <vector>

#include "sim/asan.h"
#include "sim/code_position.h"
#include "sim/lanes.h"

namespace nativegrad::cuda::sim {

namespace {

// The last write and the reads since, of one word or byte. An epoch is the time between two barriers of the
// block; a lane's time counts the barriers of its warp in it.
struct Cell {
    uint32_t write_epoch = 0, read_epoch = 0;
    int32_t split = -1;  // index of the four cells of its bytes
    bool atomic = false, many_warps = false, async = false;
    int16_t writer = -1, reader_warp = -1;
    uint32_t write_time = 0, read_time = 0;
    uint32_t readers = 0;  // lanes of reader_warp
    const void* write_code = nullptr;
    const void* read_code = nullptr;
};

std::vector<Cell> words;
std::vector<Cell> bytes_of_words;
uint32_t epoch = 0, block_epoch = 0;
size_t arena_bytes = 0;

uint32_t lane_time[max_lanes];
// For each lane, the time of each lane of its warp up to which it has seen what that one did (exclusive).
uint32_t seen[max_lanes][warp_size];

bool same_warp(int a, int b) { return a / warp_size == b / warp_size; }

bool is_ordered(int lane, uint32_t time, int now) {
    return lane == now || (same_warp(lane, now) && seen[now][lane % warp_size] > time);
}

[[noreturn]] void report_race(const char* first, int first_lane, const void* first_code, const char* second,
                              size_t offset, const void* code) {
    fail_lane(
        "race on shared memory at byte %zu: %s by lane %d (%s), then %s by lane %d (%s), no barrier between",
        offset, first, first_lane, code_position(first_code).c_str(), second, current_lane,
        code_position(code).c_str());
}

void check_write_ordered(const Cell& cell, size_t offset, const char* what, const void* code) {
    if (cell.write_epoch != epoch || is_ordered(cell.writer, cell.write_time, current_lane)) return;
    report_race(cell.atomic ? "changed atomically" : "written", cell.writer, cell.write_code, what, offset,
                code);
}

void check_reads_ordered(const Cell& cell, size_t offset, const char* what, const void* code) {
    if (cell.read_epoch != epoch) return;
    for (uint32_t left = cell.readers; left != 0; left &= left - 1) {
        const int reader = cell.reader_warp * warp_size + __builtin_ctz(left);
        if (!is_ordered(reader, cell.read_time, current_lane)) {
            report_race("read", reader, cell.read_code, what, offset, code);
        }
    }
    if (cell.many_warps)
        report_race("read", cell.reader_warp * warp_size, cell.read_code, what, offset, code);
}

// Several warps read it in this epoch and nobody wrote it since: one more read changes nothing.
inline bool is_read_by_all(const Cell& cell) {
    return cell.read_epoch == epoch && cell.many_warps && cell.write_epoch != epoch;
}

void note_read(Cell& cell, size_t offset, const void* code) {
    const int lane = current_lane, warp = lane / warp_size;
    const uint32_t bit = 1u << (lane % warp_size), time = lane_time[lane];
    if (cell.read_epoch == epoch && cell.reader_warp == warp && (cell.readers & bit) != 0 &&
        cell.read_time == time) {
        return;
    }
    if (cell.async) {
        fail_lane(
            "read of shared memory at byte %zu that cp.async still writes: async_copy_wait() is missing (%s)",
            offset, code_position(code).c_str());
    }
    if (cell.write_epoch < block_epoch) {
        fail_lane("read of shared memory at byte %zu that no lane of the block wrote (%s)", offset,
                  code_position(code).c_str());
    }
    check_write_ordered(cell, offset, "read", code);
    if (cell.read_epoch != epoch) {
        cell.read_epoch = epoch;
        cell.readers = bit;
        cell.reader_warp = static_cast<int16_t>(warp);
        cell.read_time = time;
        cell.many_warps = false;
    } else if (cell.reader_warp != warp) {
        cell.many_warps = true;
    } else {
        cell.readers |= bit;
        cell.read_time = std::max(cell.read_time, time);
    }
    cell.read_code = code;
}

void note_write(Cell& cell, size_t offset, Access access, const void* code) {
    const bool atomic = access == Access::atomic;
    const char* what = atomic ? "changed atomically" : "written";
    if (cell.async && cell.write_epoch >= block_epoch) {
        fail_lane("write to shared memory at byte %zu that cp.async still writes (%s)", offset,
                  code_position(code).c_str());
    }
    if (atomic && cell.write_epoch < block_epoch) {
        fail_lane("atomic on shared memory at byte %zu that no lane of the block wrote (%s)", offset,
                  code_position(code).c_str());
    }
    if (!(atomic && cell.atomic)) check_write_ordered(cell, offset, what, code);
    check_reads_ordered(cell, offset, what, code);
    cell.write_epoch = epoch;
    cell.writer = static_cast<int16_t>(current_lane);
    cell.write_time = lane_time[current_lane];
    cell.write_code = code;
    cell.atomic = atomic;
    cell.async = false;
    cell.read_epoch = 0;
}

void note(Cell& cell, size_t offset, Access access, const void* code) {
    if (access == Access::read) {
        if (!is_read_by_all(cell)) note_read(cell, offset, code);
        return;
    }
    note_write(cell, offset, access, code);
}

Cell* split_cells(Cell& word) {
    if (word.split < 0) {
        Cell copy = word;
        word.split = static_cast<int32_t>(bytes_of_words.size());
        bytes_of_words.insert(bytes_of_words.end(), 4, copy);
    }
    return &bytes_of_words[static_cast<size_t>(word.split)];
}

// Calls body(cell, offset) for each word, or each byte of words that were ever touched in part.
template <class Body>
void each_cell(size_t offset, size_t bytes, Body body) {
    for (const size_t end = offset + bytes; offset < end;) {
        Cell& word = words[offset / 4];
        const size_t part = std::min(end - offset, 4 - offset % 4);
        if (part == 4 && word.split < 0) {
            body(word, offset);
        } else {
            Cell* cells = split_cells(word);
            for (size_t i = 0; i < part; ++i) body(cells[offset % 4 + i], offset + i);
        }
        offset += part;
    }
}

}  // namespace

void shadow_begin_block(size_t shared_bytes, int lanes) {
    arena_bytes = shared_bytes;
    if (words.size() * 4 < shared_bytes) words.resize((shared_bytes + 3) / 4);
    if (!bytes_of_words.empty()) {
        bytes_of_words.clear();
        for (Cell& word : words) word.split = -1;
    }
    block_epoch = ++epoch;
    if (shared_bytes == 0) return;
    std::fill_n(lane_time, lanes, 0u);
    std::fill_n(&seen[0][0], static_cast<size_t>(lanes) * warp_size, 0u);
}

void shadow_access(size_t offset, size_t bytes, Access access, const void* code) {
    if (offset + bytes > arena_bytes) {
        fail_lane("%s of shared memory at byte %zu, past the end of the block's %zu bytes (%s)",
                  access == Access::read ? "read" : "write", offset, arena_bytes,
                  code_position(code).c_str());
    }
    if (with_asan) return;
    if (bytes == 4 && offset % 4 == 0 && words[offset / 4].split < 0)
        return note(words[offset / 4], offset, access, code);
    each_cell(offset, bytes, [&](Cell& cell, size_t at) { note(cell, at, access, code); });
}

void shadow_block_barrier() { ++epoch; }

void shadow_warp_barrier(int warp, uint32_t mask) {
    if (arena_bytes == 0) return;
    const int first = warp * warp_size;
    uint32_t joined[warp_size] = {};
    uint32_t latest = 0;
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        latest = std::max(latest, lane_time[first + lane]);
        for (int i = 0; i < warp_size; ++i) joined[i] = std::max(joined[i], seen[first + lane][i]);
    }
    for (uint32_t left = mask; left != 0; left &= left - 1) joined[__builtin_ctz(left)] = latest + 1;
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const int lane = first + __builtin_ctz(left);
        lane_time[lane] = latest + 1;
        std::copy_n(joined, warp_size, seen[lane]);
    }
}

void shadow_async_started(size_t offset, size_t bytes, const void* code) {
    shadow_access(offset, bytes, Access::write, code);
    if (with_asan) return;
    each_cell(offset, bytes, [](Cell& cell, size_t) { cell.async = true; });
}

void shadow_async_arrived(size_t offset, size_t bytes) {
    if (with_asan) return;
    each_cell(offset, bytes, [](Cell& cell, size_t) {
        cell.async = false;
        cell.write_epoch = epoch;
        cell.write_time = lane_time[current_lane];
        cell.writer = static_cast<int16_t>(current_lane);
    });
}

}  // namespace nativegrad::cuda::sim
