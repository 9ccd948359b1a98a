// One block at a time: its lanes as fibers that run until they meet others or end, in an order that the seed
// gives.
#pragma once

#include <cstdint>
#include <string>

#include "device/launch.h"
#include "device/warp.h"

namespace nativegrad::cuda::sim {

constexpr int max_lanes = 1024;
constexpr int max_warps = max_lanes / warp_size;
constexpr size_t max_shared_bytes = 227 * 1024;

enum class Meet : uint8_t { none, block_barrier, warp_barrier, shuffle, vote, mma, load_matrices };
enum class LaneState : uint8_t { fresh, running, ready, waiting, done };

struct Fiber;

struct Lane {
    LaneState state;
    Meet meet;
    uint32_t mask;
    Site site;
    Fiber* fiber;  // while it is parked
    // What it brings to the meeting and takes from it.
    uint64_t value;
    int argument;
    const void* input[2];
    void* output;
    // Parts of shared memory taken so far.
    int parts;
};

struct Warp {
    uint32_t waiting;  // lanes at a meeting of the warp
    uint32_t lanes;    // that exist
};

struct Block {
    const KernelCall* call;
    Blocks index{0, 0, 0};
    int lanes, warps;
    int device;
    int barrier_waiting;
    Lane lane[max_lanes];
    Warp warp[max_warps];
};

extern Block block;
// Index of the lane that runs; -1 outside of kernels.
extern int current_lane;

// Parks the lane until all lanes of the mask stand at the same meeting; the last one calls `complete(warp)`.
void meet_warp(Meet meet, uint32_t mask, Site site, void (*complete)(int warp, uint32_t mask));

// Ends the kernel with an error that names kernel, block and lane. Called by a lane; does not come back.
[[noreturn]] [[gnu::format(printf, 1, 2)]] void fail_lane(const char* format, ...);

// Accesses and meetings that the block has before one of its lanes must have ended.
extern uint64_t steps_left;
// For a lane that took the last of them, at `place`.
[[noreturn]] void fail_endless(const std::string& place);

// Runs the whole grid; the text of the error, or an empty one.
std::string run_grid(const KernelCall& call, int device, uint64_t seed);

// For the access hooks: the stacks of all fibers, and the block's shared memory.
extern uintptr_t stacks_begin;
extern size_t stacks_bytes;
unsigned char* shared_memory();

}  // namespace nativegrad::cuda::sim
