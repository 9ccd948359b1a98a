#include "sim/lanes.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "sim/asan.h"
#include "sim/async_copies.h"
#include "sim/block_races.h"
#include "sim/control.h"
#include "sim/fibers.h"
#include "sim/meeting_report.h"
#include "sim/order.h"
#include "sim/shared_shadow.h"

namespace nativegrad::cuda {

int thread_index() { return sim::current_lane; }
int thread_count() { return sim::block.lanes; }
int block_index() { return static_cast<int>(sim::block.index.x); }
int block_index_y() { return static_cast<int>(sim::block.index.y); }
int block_index_z() { return static_cast<int>(sim::block.index.z); }
int block_count() { return static_cast<int>(sim::block.call->grid.blocks.x); }
int block_count_y() { return static_cast<int>(sim::block.call->grid.blocks.y); }
int block_count_z() { return static_cast<int>(sim::block.call->grid.blocks.z); }

namespace sim {

Block block;
int current_lane = -1;
uint64_t steps_left = 0;

namespace {

alignas(128) unsigned char shared_arena[max_shared_bytes];

// The lanes that may go on, as a ring.
struct Ready {
    int lanes[2 * max_lanes];
    unsigned head = 0, tail = 0;
    bool empty() const { return head == tail; }
    void push(int lane) { lanes[tail++ % (2 * max_lanes)] = lane; }
    int pop_first() { return lanes[head++ % (2 * max_lanes)]; }
    int pop_last() { return lanes[--tail % (2 * max_lanes)]; }
};

Ready ready;
int lane_order[max_lanes], warp_order[warp_size];
int started, done;
uint64_t patience;
// How the seed runs this block: lanes that may go on before those that have not begun, the last to come
// first.
bool ready_first, last_first, last_goes_on;
char error_text[1600];

bool starts_fresh() { return started < block.lanes && (ready.empty() || !ready_first); }

Fiber* next_fiber() {
    if (ready.empty()) return &host_fiber;
    return block.lane[last_first ? ready.pop_last() : ready.pop_first()].fiber;
}

void run_fresh_lane(Fiber* self) {
    const int index = lane_order[started++];
    Lane& lane = block.lane[index];
    self->lane = current_lane = index;
    lane.fiber = self;
    lane.state = LaneState::running;
    block.call->run_lane(block.call->parameters.get());
    lane.state = LaneState::done;
    steps_left = patience;
    current_lane = -1;
    ++done;
}

void run_lanes(Fiber* self) {
    do {
        run_fresh_lane(self);
    } while (starts_fresh());
    give_back(self);
    switch_fiber(self, next_fiber());
}

void park() {
    Fiber* self = block.lane[current_lane].fiber;
    Fiber* next = starts_fresh() ? take_fiber(run_lanes) : next_fiber();
    if (next != self) switch_fiber(self, next);
    current_lane = self->lane;
    block.lane[current_lane].state = LaneState::running;
}

void make_ready(int index) {
    block.lane[index].state = LaneState::ready;
    block.lane[index].meet = Meet::none;
    ready.push(index);
}

bool all_agree(int first, uint32_t mask, const Lane& with) {
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const Lane& lane = block.lane[first + __builtin_ctz(left)];
        if (lane.meet != with.meet || lane.mask != with.mask || !same_site(lane.site, with.site))
            return false;
    }
    return true;
}

void begin_meeting(Meet meet, uint32_t mask, Site site) {
    if (--steps_left == 0) fail_endless(describe_meeting(meet, site));
    Lane& lane = block.lane[current_lane];
    lane.meet = meet;
    lane.mask = mask;
    lane.site = site;
    lane.state = LaneState::waiting;
}

void begin_block(const KernelCall& call, int64_t index, uint64_t seed) {
    const Blocks& blocks = call.grid.blocks;
    block.call = &call;
    block.index = Blocks(index % blocks.x, index / blocks.x % blocks.y, index / blocks.x / blocks.y);
    block.lanes = call.grid.threads;
    block.warps = (block.lanes + warp_size - 1) / warp_size;
    block.barrier_waiting = 0;
    for (int i = 0; i < block.lanes; ++i) {
        block.lane[i].state = LaneState::fresh;
        block.lane[i].meet = Meet::none;
        block.lane[i].parts = 0;
    }
    for (int w = 0; w < block.warps; ++w) {
        const int lanes = block.lanes - w * warp_size;
        block.warp[w] = {0, lanes >= warp_size ? full_warp : (1u << lanes) - 1};
    }
    Random random(seed * 0x2545f4914f6cdd1du + static_cast<uint64_t>(index));
    const bool seeded = seed != 0;
    (seeded ? Order(block.lanes, random) : Order(block.lanes)).list(lane_order);
    (seeded ? Order(warp_size, random) : Order(warp_size)).list(warp_order);
    // Warp after warp keeps the stacks in the caches: the natural order is the fast one.
    ready_first = !seeded || random.flip();
    last_first = seeded && random.flip();
    last_goes_on = !seeded || random.flip();
    steps_left = patience = setup().patience;
    ready.head = ready.tail = 0;
    started = done = 0;
    poison_for_asan(shared_arena, sizeof shared_arena);
    unpoison_for_asan(shared_arena, call.grid.shared_bytes);
    // NaN in every format.
    std::memset(shared_arena, 0xff, call.grid.shared_bytes);
    shadow_begin_block(call.grid.shared_bytes, block.lanes);
    block_races_begin_block(index);
    forget_shared_parts();
    forget_async_copies();
}

std::string run_block() {
    switch_fiber(&host_fiber, take_fiber(run_lanes));
    current_lane = -1;
    if (error_text[0] == 0 && done == block.lanes) return {};
    std::string error = error_text[0] != 0 ? error_text : describe_deadlock();
    abandon_fibers();
    return error;
}

}  // namespace

unsigned char* shared_memory() { return shared_arena; }

void meet_warp(Meet meet, uint32_t mask, Site site, void (*complete)(int warp, uint32_t mask)) {
    const int index = current_lane, index_in_warp = index % warp_size;
    Warp& warp = block.warp[index / warp_size];
    const int first = index - index_in_warp;
    const uint32_t bit = 1u << index_in_warp;
    if ((mask & bit) == 0) {
        fail_lane("%s with mask 0x%08x, which does not name the lane itself",
                  describe_meeting(meet, site).c_str(), mask);
    }
    if ((mask & ~warp.lanes) != 0) {
        fail_lane("%s with mask 0x%08x, but its warp has only the lanes 0x%08x",
                  describe_meeting(meet, site).c_str(), mask, warp.lanes);
    }
    begin_meeting(meet, mask, site);
    warp.waiting |= bit;
    if ((warp.waiting & mask) != mask || !all_agree(first, mask, block.lane[index])) return park();
    complete(index / warp_size, mask);
    warp.waiting &= ~mask;
    for (int i = 0; i < warp_size; ++i) {
        const int lane = warp_order[i];
        if ((mask >> lane & 1u) != 0 && (first + lane != index || !last_goes_on)) make_ready(first + lane);
    }
    if (!last_goes_on) return park();
    block.lane[index].state = LaneState::running;
    block.lane[index].meet = Meet::none;
}

void fail_lane(const char* format, ...) {
    char text[1100];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    std::snprintf(error_text, sizeof error_text, "block (%d, %d, %d), lane %d: %s", block_index(),
                  block_index_y(), block_index_z(), current_lane, text);
    Fiber* self = block.lane[current_lane].fiber;
    current_lane = -1;
    switch_fiber(self, &host_fiber);
    // Nobody switches back: the fibers were abandoned.
    __builtin_unreachable();
}

void fail_endless(const std::string& place) {
    fail_lane("no end: %llu accesses and meetings since a lane of the block ended, the last one at %s",
              static_cast<unsigned long long>(patience), place.c_str());
}

std::string run_grid(const KernelCall& call, int device, uint64_t seed) {
    block.device = device;
    const Blocks& blocks = call.grid.blocks;
    const int64_t count = blocks.x * blocks.y * blocks.z;
    Random random(seed);
    const Order order = seed != 0 ? Order(count, random) : Order(count);
    error_text[0] = 0;
    block_races_begin_launch(count);
    for (int64_t i = 0; i < count; ++i) {
        begin_block(call, order.at(i), seed);
        const std::string error = run_block();
        if (!error.empty()) return "[" + call.kernel + "] " + error;
    }
    return {};
}

}  // namespace sim

void block_barrier(Site site) {
    using namespace sim;
    begin_meeting(Meet::block_barrier, 0, site);
    if (++block.barrier_waiting < block.lanes) return park();
    for (int i = 0; i < block.lanes; ++i) {
        if (!same_site(block.lane[i].site, site)) {
            fail_lane("the lanes wait at different block barriers: %s", describe_positions().c_str());
        }
    }
    block.barrier_waiting = 0;
    shadow_block_barrier();
    for (int i = 0; i < block.lanes; ++i) make_ready(lane_order[i]);
    park();
}

}  // namespace nativegrad::cuda
