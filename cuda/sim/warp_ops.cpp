// Shuffles, votes and the barrier of a warp: each lane brings its part, the last to come works for all.
#include "sim/block_races.h"
#include "sim/lanes.h"
#include "sim/meeting_report.h"
#include "sim/shared_shadow.h"

namespace nativegrad::cuda {

namespace sim {

namespace {

uint64_t brought[warp_size];

void complete_shuffle(int warp, uint32_t mask) {
    Lane* lanes = &block.lane[warp * warp_size];
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const int i = __builtin_ctz(left);
        brought[i] = lanes[i].value;
    }
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        Lane& lane = lanes[__builtin_ctz(left)];
        if ((mask >> lane.argument & 1u) == 0) {
            fail_lane("%s: lane %d reads from lane %d, which mask 0x%08x does not name",
                      describe_meeting(Meet::shuffle, lane.site).c_str(),
                      warp * warp_size + __builtin_ctz(left), warp * warp_size + lane.argument, mask);
        }
        lane.value = brought[lane.argument];
    }
}

void complete_vote(int warp, uint32_t mask) {
    Lane* lanes = &block.lane[warp * warp_size];
    uint32_t bits = 0;
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const int i = __builtin_ctz(left);
        if (lanes[i].value != 0) bits |= 1u << i;
    }
    for (uint32_t left = mask; left != 0; left &= left - 1) lanes[__builtin_ctz(left)].value = bits;
}

// As the PTX manual's shfl.sync: a source outside of the segment of `width` lanes is the lane itself.
int source_lane(Shuffle kind, int lane, int argument, int width) {
    const int segment = lane & ~(width - 1), last = segment + width - 1;
    int source = lane;
    switch (kind) {
        case Shuffle::index:
            return segment + (argument & (width - 1));
        case Shuffle::up:
            source = lane - argument;
            return source < segment ? lane : source;
        case Shuffle::down:
            source = lane + argument;
            return source > last ? lane : source;
        case Shuffle::exclusive_or:
            source = lane ^ argument;
            return source > last ? lane : source;
    }
    return source;
}

}  // namespace

uint64_t shuffle_bits(Shuffle kind, uint64_t value, int argument, uint32_t mask, int width, Site site) {
    if (width < 1 || width > warp_size || (width & (width - 1)) != 0) {
        fail_lane("%s: width %d is no power of two up to 32", describe_meeting(Meet::shuffle, site).c_str(),
                  width);
    }
    Lane& lane = block.lane[current_lane];
    lane.value = value;
    lane.argument = source_lane(kind, current_lane % warp_size, argument, width);
    meet_warp(Meet::shuffle, mask, site, complete_shuffle);
    return lane.value;
}

uint32_t ballot_bits(bool value, uint32_t mask, Site site) {
    Lane& lane = block.lane[current_lane];
    lane.value = value;
    meet_warp(Meet::vote, mask, site, complete_vote);
    return static_cast<uint32_t>(lane.value);
}

}  // namespace sim

void warp_barrier(uint32_t mask, Site site) {
    sim::meet_warp(sim::Meet::warp_barrier, mask, site, sim::shadow_warp_barrier);
}

// Lanes run one after the other: their writes are in order as they are.
void memory_fence() { sim::block_races_fence(); }

}  // namespace nativegrad::cuda
