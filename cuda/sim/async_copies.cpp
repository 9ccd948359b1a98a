#include "sim/async_copies.h"

#include <cstring>
#include <vector>

#include "device/async_copy.h"
#include "device/memory.h"
#include "sim/lanes.h"
#include "sim/shared_shadow.h"

namespace nativegrad::cuda::sim {

namespace {

struct Copy {
    unsigned char* to;
    const void* from;
    int bytes, valid_bytes;
};

struct LaneCopies {
    std::vector<Copy> copies;
    std::vector<size_t> group_ends;  // of committed groups, counted in copies
};

LaneCopies lane_copies[max_lanes];
std::vector<int> used_lanes;

}  // namespace

void forget_async_copies() {
    for (int lane : used_lanes) {
        lane_copies[lane].copies.clear();
        lane_copies[lane].group_ends.clear();
    }
    used_lanes.clear();
}

void async_copy(void* shared, const void* global, int bytes, int valid_bytes) {
    unsigned char* to = static_cast<unsigned char*>(shared);
    const size_t offset = static_cast<size_t>(to - shared_memory());
    if (offset >= max_shared_bytes) fail_lane("async_copy() to %p, which is not in shared memory", shared);
    const size_t size = static_cast<size_t>(bytes);
    if (offset % size != 0 || (valid_bytes > 0 && reinterpret_cast<uintptr_t>(global) % size != 0)) {
        fail_lane(
            "async_copy() of %d bytes between addresses that are not multiples of it (%p, shared byte %zu)",
            bytes, global, offset);
    }
    if (valid_bytes > 0) check_read(global, static_cast<size_t>(valid_bytes));
    shadow_async_started(offset, size, __builtin_return_address(0));
    LaneCopies& lane = lane_copies[current_lane];
    if (lane.copies.empty() && lane.group_ends.empty()) used_lanes.push_back(current_lane);
    lane.copies.push_back({to, global, bytes, valid_bytes});
}

void async_copy_commit() {
    LaneCopies& lane = lane_copies[current_lane];
    if (lane.copies.empty() && lane.group_ends.empty()) used_lanes.push_back(current_lane);
    lane.group_ends.push_back(lane.copies.size());
}

void async_copy_wait(int groups_left) {
    LaneCopies& lane = lane_copies[current_lane];
    const size_t left = static_cast<size_t>(groups_left);
    if (lane.group_ends.size() <= left) return;
    const size_t groups = lane.group_ends.size() - left, end = lane.group_ends[groups - 1];
    for (size_t i = 0; i < end; ++i) {
        const Copy& copy = lane.copies[i];
        std::memset(copy.to, 0, static_cast<size_t>(copy.bytes));
        if (copy.valid_bytes > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.valid_bytes));
        shadow_async_arrived(static_cast<size_t>(copy.to - shared_memory()), static_cast<size_t>(copy.bytes));
    }
    lane.copies.erase(lane.copies.begin(), lane.copies.begin() + static_cast<long>(end));
    lane.group_ends.erase(lane.group_ends.begin(), lane.group_ends.begin() + static_cast<long>(groups));
    for (size_t& group_end : lane.group_ends) group_end -= end;
}

}  // namespace nativegrad::cuda::sim
