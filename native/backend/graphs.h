// How a backend runs the calls of a program as one piece, step after step, without the host in between.
//
// A graph is made once its program has run: `make`; `warm` and the calls, which run as ever; `record` and the
// calls, which are only noted; `finish`. From then on `run` does whole steps. Its functions are called by one
// thread at a time. The calls are given to the graph's own queue, and read their inputs where the graph has
// them.
#pragma once

#include "backend/backend.h"

namespace nativegrad {

// What an input's elements cover: `bytes` from `first` bytes behind the address of its view (below 0 where
// strides are).
struct GraphInput {
    int64_t first, bytes;
};

// What each step leaves for the caller: `bytes` at `from`, or where `input` is not -1, behind the address of
// that input.
struct GraphResult {
    const void* from;
    int32_t input;
    int64_t offset, bytes;
};

// Slots are the values that ScalarSlots of the calls point at; those in `changing` differ from step to step,
// in that order in a row. The program keeps all of this where it is while the graph lives.
struct GraphPlan {
    double* slots;
    int32_t slot_count;
    const int32_t* changing;
    int32_t changing_count;
    const GraphInput* inputs;
    int32_t input_count;
    const GraphResult* results;
    int32_t result_count;
    int32_t model;  // its number, for errors of its kernels; -1: there are no others
};

// What the text of an error begins with, before the number of the model and ": ".
constexpr const char* model_label = "[captureModels] model ";

// Addresses of the first step; step i reads `step_bytes * i` further.
struct GraphSource {
    const void* data;
    int64_t step_bytes;
};

// rows: the values of the changing slots, step by step. outputs: of step i, `bytes * i` further. beside: the
// steps may run at the same time as those of other graphs; `join` must follow.
struct GraphRun {
    int64_t steps;
    const double* rows;
    const GraphSource* sources;
    void* const* outputs;
    bool beside;
};

struct GraphTable {
    // `queue` is what the calls are given to, and inputs[i] what the view of input i points at.
    int32_t (*make)(DeviceQueue where, const GraphPlan* plan, void** graph, void** queue, void** inputs,
                    ErrorMessage* error);
    // Brings the inputs of one step in place. The calls that follow run at once, with the values in the
    // slots, and load what they need; what they want of memory is noted.
    int32_t (*warm)(void* graph, const GraphRun* first, ErrorMessage* error);
    // The calls that follow do not run: they are recorded.
    int32_t (*record)(void* graph, ErrorMessage* error);
    // After the last call, also after one that failed: then there is nothing to run.
    int32_t (*finish)(void* graph, ErrorMessage* error);
    // Gives the steps to the queue and does not wait for them; `stop`, where it is not null, is asked between
    // steps, and ends the run when it says so. `given` is the number of steps that the queue got, also
    // where it fails.
    int32_t (*run)(void* graph, const GraphRun* run, bool (*stop)(const void* owner), const void* owner,
                   int64_t* given, ErrorMessage* error);
    // What the queue gets from now on comes after the steps that were given beside others.
    int32_t (*join)(void* graph, ErrorMessage* error);
    // Of a graph that can run: the calls that follow `note` are noted, for `combine`; `noted` is their end.
    int32_t (*note)(void* graph, ErrorMessage* error);
    int32_t (*noted)(void* graph, ErrorMessage* error);
    // One graph for a step of each of these, which must live while it runs: a launch of all of them is one.
    // apart: what takes more than one launch for all of them, empty where nothing does.
    int32_t (*combine)(void* const* graphs, int32_t count, void** joint, ErrorMessage* apart,
                       ErrorMessage* error);
    // runs: one of each, with as many steps; not beside others.
    int32_t (*run_joint)(void* joint, const GraphRun* runs, bool (*stop)(const void* owner),
                         const void* owner, int64_t* given, ErrorMessage* error);
    void (*free_joint)(void* joint);
    // At any time; work that was given goes on to its end.
    void (*free)(void* graph);
};

}  // namespace nativegrad
