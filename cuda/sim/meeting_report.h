// What the lanes of a block stand at, in words.
#pragma once

#include <string>

#include "sim/lanes.h"

namespace nativegrad::cuda::sim {

bool same_site(const Site& a, const Site& b);
// "warp_barrier() at sum.cu:12"
std::string describe_meeting(Meet meet, const Site& site);
// "lanes 0-31 wait at ..., lanes 32-63 exited"
std::string describe_positions();
// No lane can go on.
std::string describe_deadlock();

}  // namespace nativegrad::cuda::sim
