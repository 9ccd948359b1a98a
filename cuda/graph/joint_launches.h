// The work of several models, put together: those that launch the same kernel in the same grid share one
// launch; others stand side by side.
#pragma once

#include <string>
#include <vector>

#include "graph/graph_memory.h"
#include "graph/side_streams.h"
#include "runtime/launch_notes.h"

namespace nativegrad::cuda {

class JointLaunches {
  public:
    // notes[model]: as many of each. Throws where they are not.
    explicit JointLaunches(std::vector<std::vector<LaunchNote>> notes);

    // Of the arguments in memory of the device.
    size_t argument_bytes() const { return argument_bytes_; }
    // The arguments as they shall lie at `device`, from now on.
    void write_arguments(char* to, const char* device);
    // Loads the code of what is launched for several models.
    void load() const;
    // Launches that stand side by side.
    size_t most_beside() const;
    void emit(Stream stream, SideStreams& beside) const;
    // What takes more than one launch for all: "softmax_rows<float>, 2 of fill_bytes"; empty where nothing
    // does.
    std::string apart() const;

  private:
    // Models whose launches are one; a model alone has its own.
    struct Group {
        std::vector<size_t> models;
        size_t offset = 0;  // of the arguments
    };
    std::vector<Group> groups_of(size_t i) const;
    const LaunchNote& note(size_t i, const Group& group) const { return notes_[group.models.front()][i]; }
    Grid joint_grid(size_t i, const Group& group) const;
    void emit_group(size_t i, const Group& group, Stream stream) const;
    // body(i, group) for those of several models
    template <class Body>
    void each_joint(const Body& body) const {
        for (size_t i = 0; i < steps_.size(); ++i) {
            for (const Group& group : steps_[i]) {
                if (group.models.size() > 1) body(i, group);
            }
        }
    }

    std::vector<std::vector<LaunchNote>> notes_;
    std::vector<std::vector<Group>> steps_;
    size_t argument_bytes_ = 0;
    const char* arguments_ = nullptr;
};

}  // namespace nativegrad::cuda
