#include "sim/meeting_report.h"

#include <cstdio>
#include <cstring>
#include <vector>

namespace nativegrad::cuda::sim {

namespace {

const char* meeting_name(Meet meet) {
    switch (meet) {
        case Meet::block_barrier:
            return "block_barrier()";
        case Meet::warp_barrier:
            return "warp_barrier()";
        case Meet::shuffle:
            return "shuffle()";
        case Meet::vote:
            return "ballot()";
        case Meet::mma:
            return "mma";
        case Meet::load_matrices:
            return "load_matrices()";
        case Meet::none:
            break;
    }
    return "nothing";
}

std::string describe_lane(const Lane& lane) {
    if (lane.state == LaneState::done) return "exited";
    if (lane.state != LaneState::waiting) return "ran on";
    std::string text = "wait at " + describe_meeting(lane.meet, lane.site);
    if (lane.meet != Meet::block_barrier && lane.mask != full_warp) {
        char mask[32];
        std::snprintf(mask, sizeof mask, " with mask 0x%08x", lane.mask);
        text += mask;
    }
    return text;
}

}  // namespace

bool same_site(const Site& a, const Site& b) {
    return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

std::string describe_meeting(Meet meet, const Site& site) {
    const char* slash = std::strrchr(site.file, '/');
    return std::string(meeting_name(meet)) + " at " + (slash ? slash + 1 : site.file) + ":" +
           std::to_string(site.line);
}

std::string describe_positions() {
    std::string text;
    int groups = 0;
    for (int first = 0; first < block.lanes && groups < 8; ++groups) {
        const std::string what = describe_lane(block.lane[first]);
        int end = first + 1;
        while (end < block.lanes && describe_lane(block.lane[end]) == what) ++end;
        if (groups > 0) text += ", ";
        text += end - first == 1 ? "lane " + std::to_string(first)
                                 : "lanes " + std::to_string(first) + "-" + std::to_string(end - 1);
        text += " " + what;
        first = end;
        if (groups == 7 && end < block.lanes) text += ", ...";
    }
    return text;
}

std::string describe_deadlock() {
    char place[96];
    std::snprintf(place, sizeof place, "block (%d, %d, %d): ", block_index(), block_index_y(),
                  block_index_z());
    return place + std::string("deadlock: ") + describe_positions();
}

}  // namespace nativegrad::cuda::sim
