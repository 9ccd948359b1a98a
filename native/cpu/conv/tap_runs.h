#pragma once

#include <cstdint>
#include <vector>

#include "cpu/conv/conv_plan.h"

namespace nativegrad::cpu {

// The taps of a phase as runs of contiguous elements: neighbours in a row join where all channels are read.
struct TapRuns {
    std::vector<int64_t> offsets;
    int64_t length;

    TapRuns(const ConvPlan& plan, const ConvPhase& phase) : length(plan.group_channels()) {
        const size_t count = phase.taps.size();
        size_t joined = 1;
        if (plan.groups == 1) {
            while (joined < count && follows(phase.taps[joined - 1], phase.taps[joined])) ++joined;
        }
        for (size_t k = 0; joined > 1 && k < count; ++k) {
            const bool inside = k % joined != 0;
            if (count % joined != 0 || (inside && !follows(phase.taps[k - 1], phase.taps[k]))) joined = 1;
        }
        length *= static_cast<int64_t>(joined);
        for (size_t k = 0; k < count; k += joined) {
            const ConvTap& tap = phase.taps[k];
            offsets.push_back((tap.row * plan.padded_width + tap.column) * plan.channels);
        }
    }

    static bool follows(const ConvTap& a, const ConvTap& b) {
        return a.row == b.row && a.column + 1 == b.column;
    }
};

// True where the image itself can be read in place of a padded copy.
inline bool needs_no_padding(const ConvPlan& plan) {
    if (plan.top != 0 || plan.left != 0 || plan.padded_width > plan.width) return false;
    for (const ConvPhase& phase : plan.phases) {
        if ((phase.rows - 1) * plan.in_step[0] + plan.extent > plan.height) return false;
    }
    return true;
}

// True where every pixel of the output is a product of the weights with one pixel of the image.
inline bool is_pointwise(const ConvPlan& plan) {
    return plan.groups == 1 && plan.phases.size() == 1 && plan.phases[0].taps.size() == 1 &&
           plan.in_step[0] == 1 && plan.in_step[1] == 1 && needs_no_padding(plan) &&
           plan.width == plan.out_width && plan.height == plan.out_height;
}

}  // namespace nativegrad::cpu
