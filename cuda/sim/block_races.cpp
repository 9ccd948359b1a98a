#include "sim/block_races.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>

#include "backend/error.h"
#include "sim/asan.h"
#include "sim/code_position.h"
#include "sim/control.h"
#include "sim/heap.h"
#include "sim/lanes.h"

namespace nativegrad::cuda::sim {

bool block_races_checked = false;

namespace {

// Of 4 bytes of memory. Launches and blocks go by 16 bits: two blocks of one number hide a race, they make
// none up. For the same reason a block that touches other bytes of the word than the last one did takes its
// place.
struct Cell {
    uint16_t launch, writer, reader;  // blocks; 0: none
    uint8_t written : 4, read : 4;    // bytes
    bool atomic;
};
static_assert(sizeof(Cell) == 8);

constexpr uint16_t several = 65535;
constexpr size_t cell_bytes = heap_bytes / 4 * sizeof(Cell);

Cell* cells = nullptr;
uint16_t launch = 0, self = 0;
bool fenced = false;

void reserve_cells() {
    void* data =
        mmap(nullptr, cell_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) throw Error(Status::out_of_memory, "[cuda_sim] cannot reserve address space");
    cells = static_cast<Cell*>(data);
}

[[noreturn]] void report(const char* first, uint16_t by, const char* second, size_t offset,
                         const void* code) {
    char whom[40] = "other blocks";
    if (by != several) std::snprintf(whom, sizeof whom, "block number %d", by - 1);
    fail_lane(
        "race on device memory at %p: %s by %s, then %s by this block (%s); nothing orders blocks of one "
        "launch",
        reinterpret_cast<void*>(heap.begin + offset), first, whom, second, code_position(code).c_str());
}

void note_read(Cell& cell, unsigned bytes, size_t offset, const void* code) {
    if (cell.writer != 0 && cell.writer != self && (cell.written & bytes) != 0 && !fenced)
        report(cell.atomic ? "changed atomically" : "written", cell.writer, "read", offset, code);
    if (cell.reader == self) {
        cell.read |= bytes;
    } else if ((cell.read & bytes) == 0) {
        cell.reader = self;
        cell.read = bytes;
    } else if (cell.reader != several) {
        cell.reader = several;
        cell.read &= bytes;
    }
}

void note_write(Cell& cell, unsigned bytes, size_t offset, bool atomic, const void* code) {
    const char* what = atomic ? "changed atomically" : "written";
    if (cell.writer != 0 && cell.writer != self && (cell.written & bytes) != 0 && !(atomic && cell.atomic))
        report(cell.atomic ? "changed atomically" : "written", cell.writer, what, offset, code);
    if (cell.reader != 0 && cell.reader != self && (cell.read & bytes) != 0)
        report("read", cell.reader, what, offset, code);
    const bool goes_on = cell.writer == self;
    cell.atomic = atomic && (cell.atomic || !goes_on);
    cell.written = goes_on ? cell.written | bytes : bytes;
    cell.writer = self;
}

}  // namespace

void block_races_begin_launch(int64_t blocks) {
    block_races_checked = blocks > 1 && !with_asan && setup().block_races;
    if (!block_races_checked) return;
    if (cells == nullptr) reserve_cells();
    if (++launch != 0) return;
    // The numbers begin anew: no cell may hold an old one.
    madvise(cells, cell_bytes, MADV_DONTNEED);
    launch = 1;
}

void block_races_begin_block(int64_t index) {
    self = static_cast<uint16_t>(index % (several - 1) + 1);
    fenced = false;
}

void block_races_fence() { fenced = true; }

void block_races_access(uintptr_t address, size_t bytes, Access access, const void* code) {
    size_t offset = address - heap.begin;
    for (const size_t end = offset + bytes; offset < end;) {
        const size_t first = offset % 4, count = std::min(end - offset, 4 - first);
        const unsigned touched = ((1u << count) - 1) << first;
        Cell& cell = cells[offset / 4];
        if (cell.launch != launch) cell = {launch, 0, 0, 0, 0, false};
        if (access == Access::read) {
            note_read(cell, touched, offset, code);
        } else {
            note_write(cell, touched, offset, access == Access::atomic, code);
        }
        offset += count;
    }
}

}  // namespace nativegrad::cuda::sim
