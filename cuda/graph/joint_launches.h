// The work of several models, put together: where all of them launch the same kernel in the same grid, one
// launch does it for all.
#pragma once

#include <string>
#include <vector>

#include "graph/graph_memory.h"
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
    void emit(Stream stream) const;
    // What is launched model by model: "softmax_rows<float>, 2 of fill_bytes"; empty where nothing is.
    std::string apart() const;

  private:
    struct Step {
        size_t offset;  // of the arguments
        bool is_joint;
    };
    bool is_joint(size_t i) const;
    Grid joint_grid(size_t i) const;

    std::vector<std::vector<LaunchNote>> notes_;
    std::vector<Step> steps_;
    size_t argument_bytes_ = 0;
    const char* arguments_ = nullptr;
};

}  // namespace nativegrad::cuda
