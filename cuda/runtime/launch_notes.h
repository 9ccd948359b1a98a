// Work that a program's step gives to a stream, kept instead of done: so that the steps of several models can
// be put together, launch by launch (graph/joint_graph.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "device/grid.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

// A kernel in the form for several models: `list` in memory of the device has the arguments of each, and the
// grid as many times blocks.z as there are models.
struct BatchedKernel {
    const std::string& (*name)();
    size_t argument_bytes;
    // Loads its code: a launch that is captured may not.
    void (*load)(const Grid& grid);
    void (*launch)(const Grid& grid, Stream stream, const void* list, int32_t blocks_z);
};

struct LaunchNote {
    const char* name;             // of the kernel, or of what else is done
    const BatchedKernel* kernel;  // null: there is no form for several models
    Grid grid;
    std::vector<char> arguments;
    std::function<void(Stream)> alone;
};

// While it lives, what this thread gives to `stream` is noted.
class LaunchNotes {
  public:
    explicit LaunchNotes(Stream stream);
    ~LaunchNotes();
    LaunchNotes(const LaunchNotes&) = delete;
    LaunchNotes& operator=(const LaunchNotes&) = delete;

    // Those of the calling thread for this stream; null: work is done.
    static LaunchNotes* of(Stream stream);

    std::vector<LaunchNote> list;

  private:
    const Stream stream_;
};

// Notes work that has no other form than work(stream); false where none is noted. `name` stays where it is.
template <class Work>
bool note_alone(const char* name, Stream stream, const Work& work) {
    LaunchNotes* const notes = LaunchNotes::of(stream);
    if (notes != nullptr) notes->list.push_back({name, nullptr, Grid{1, 1}, {}, work});
    return notes != nullptr;
}

}  // namespace nativegrad::cuda
