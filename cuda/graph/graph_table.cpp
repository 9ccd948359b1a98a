// The functions of graphs that the addon calls. Nothing is thrown across them.
#include "graph/graph_table.h"

#include <cstdio>

#include "backend/guarded.h"
#include "graph/joint_graph.h"

namespace nativegrad::cuda {

namespace {

// body(graph) with the graph's device as the current one
template <class Body>
int32_t with_graph(void* graph, ErrorMessage* error, const Body& body) {
    return guarded(error, "capture", [&] {
        StepGraph& of = *static_cast<StepGraph*>(graph);
        const DeviceScope device(of.ordinal());
        body(of);
    });
}

int32_t make(DeviceQueue where, const GraphPlan* plan, void** graph, void** queue, void** inputs,
             ErrorMessage* error) {
    return guarded(error, "capture", [&] {
        const DeviceScope device(where.ordinal);
        auto* const made = new StepGraph(*static_cast<Queue*>(where.queue), *plan);
        *graph = made;
        *queue = &made->queue();
        for (int32_t i = 0; i < plan->input_count; ++i) inputs[i] = made->input(static_cast<size_t>(i));
    });
}

int32_t warm(void* graph, const GraphRun* first, ErrorMessage* error) {
    return with_graph(graph, error, [&](StepGraph& of) { of.warm(*first); });
}

int32_t start_record(void* graph, ErrorMessage* error) {
    return with_graph(graph, error, [](StepGraph& of) { of.record(); });
}

int32_t finish(void* graph, ErrorMessage* error) {
    return with_graph(graph, error, [](StepGraph& of) { of.finish(); });
}

int32_t run(void* graph, const GraphRun* steps, bool (*stop)(const void* owner), const void* owner,
            int64_t* given, ErrorMessage* error) {
    return with_graph(graph, error, [&](StepGraph& of) { of.run(*steps, stop, owner, *given); });
}

int32_t join(void* graph, ErrorMessage* error) {
    return with_graph(graph, error, [](StepGraph& of) { of.join(); });
}

int32_t note(void* graph, ErrorMessage* error) {
    return with_graph(graph, error, [](StepGraph& of) { of.begin_notes(); });
}

int32_t noted(void* graph, ErrorMessage* error) {
    return with_graph(graph, error, [](StepGraph& of) { of.end_notes(); });
}

int32_t combine(void* const* graphs, int32_t count, void** joint, ErrorMessage* apart, ErrorMessage* error) {
    return with_graph(graphs[0], error, [&](StepGraph&) {
        std::vector<StepGraph*> members;
        for (int32_t i = 0; i < count; ++i) members.push_back(static_cast<StepGraph*>(graphs[i]));
        auto* const made = new JointGraph(std::move(members));
        *joint = made;
        std::snprintf(apart->text, sizeof apart->text, "%s", made->apart().c_str());
    });
}

int32_t run_joint(void* joint, const GraphRun* runs, bool (*stop)(const void* owner), const void* owner,
                  int64_t* given, ErrorMessage* error) {
    return guarded(error, "capture", [&] {
        JointGraph& of = *static_cast<JointGraph*>(joint);
        const DeviceScope device(of.ordinal());
        of.run(runs, stop, owner, *given);
    });
}

void free_joint(void* joint) {
    ErrorMessage ignored;
    guarded(&ignored, "capture", [&] {
        JointGraph* const of = static_cast<JointGraph*>(joint);
        const DeviceScope device(of->ordinal());
        delete of;
    });
}

void free_graph(void* graph) {
    ErrorMessage ignored;
    with_graph(graph, &ignored, [](StepGraph& of) { delete &of; });
}

}  // namespace

const GraphTable& graph_table() {
    static const GraphTable table = {&make, &warm,  &start_record, &finish,    &run,        &join,
                                     &note, &noted, &combine,      &run_joint, &free_joint, &free_graph};
    return table;
}

}  // namespace nativegrad::cuda
