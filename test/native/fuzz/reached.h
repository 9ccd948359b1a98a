// What the cases have reached: every kernel of the table, every op, and the ways that are chosen by shape.
#pragma once

#include <vector>

#include "backend/registry.h"

namespace nativegrad::fuzz {

// Ways that no kernel of their own gives away, as the conditions of the ops themselves tell them.
#define FUZZ_WAYS(X)                              \
    X(product_inline, "product: inline")          \
    X(product_cut, "product: cut into tasks")     \
    X(product_blocked, "product: blocked")        \
    X(conv_winograd, "conv: Winograd")            \
    X(conv_depthwise, "conv: depthwise")          \
    X(conv_pointwise, "conv: pointwise")          \
    X(conv_direct, "conv: direct, padded")        \
    X(conv_in_place, "conv: direct, in place")    \
    X(conv_bands, "conv: several bands")          \
    X(conv_phases, "conv: several phases")        \
    X(conv_groups, "conv: groups")                \
    X(norm_training, "batch norm: training")      \
    X(norm_running, "batch norm: running values") \
    X(norm_given, "batch norm: given moments")    \
    X(norm_tracked, "batch norm: running values written")

enum class Way {
#define X(name, text) name,
    FUZZ_WAYS(X)
#undef X
};

// Puts a counter before each kernel of the table in use. To be called after use_instruction_set.
void count_kernels();

// The calling thread is that of the cases; all others are the pool's.
void begin_counting();

// Before a run: with `lets_others`, the calling thread sleeps in the first call of a kernel, so that workers
// come to their share of work that would be done before they are awake.
void begin_run(bool lets_others);

// One run of an op on the instruction set in use; what ran since the last one tells whether workers took
// part.
void count_run(OpCode op, const std::vector<Way>& ways);

// One line each: reached <instruction set> <runs> <by workers> <name>. Zeros, too: what is there and was
// never run.
void print_reached();

}  // namespace nativegrad::fuzz
