// What one environment has on one device: a stream, the memory that its ops borrow, and the place where
// kernels say what was wrong with the values they met.
#pragma once

#include <mutex>
#include <vector>

#include "backend/backend.h"
#include "backend/reads.h"
#include "backend/staging.h"
#include "device/fault.h"
#include "graph/live_values.h"
#include "graph/work_memory.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

class Queue {
  public:
    explicit Queue(int ordinal);
    // What the calls of a graph are given to (graph/step_graph.h), which runs in the order of `root`: faults
    // are told there, with the model's number (-1: alone); the stream is set by the graph.
    Queue(Queue& root, WorkMemory& memory, LiveValues& live, int32_t model);
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    int ordinal() const { return ordinal_; }
    Stream stream() const { return stream_; }
    Staging& staging() { return staging_; }
    Reads& reads() { return reads_; }

    void set_stream(Stream stream) { stream_ = stream; }
    // Null: the queue's own blocks.
    WorkMemory* work_memory() const { return work_memory_; }
    // Null but for a graph's calls.
    LiveValues* live_values() const { return live_; }

    // A kernel's argument that follows from slots: recipe(params), now or anew for each step of a graph. The
    // recipe must look at nothing but the parameters and what it holds by value.
    template <class Params, class Recipe>
    auto live(const Params& params, const Recipe& recipe) const -> Live<decltype(recipe(params))> {
        if (live_ == nullptr) return {recipe(params), nullptr};
        return live_->argument(params, recipe);
    }

    // For kernels that look at values (labels, indices): the first one that is wrong is written here, and
    // the next wait of any thread throws it. `op` is the op that runs.
    FaultReport fault_report(OpCode op) const {
        return {faults_, static_cast<int32_t>(op) + 1 + (model_ + 1) * fault_models};
    }
    Fault* faults() const { return faults_; }

    // Null: nobody can give memory back.
    void set_make_room(MakeRoom make_room, void* owner) {
        make_room_ = make_room;
        owner_ = owner;
    }
    bool make_room(int32_t attempt) const { return make_room_ != nullptr && make_room_(owner_, attempt); }

    // Waits for all the work given. Throws where a kernel failed, or met a wrong value.
    void synchronize();

  private:
    int ordinal_;
    Stream stream_;
    Fault* faults_;  // one, in memory of the device
    Staging staging_;
    Reads reads_{*this};
    MakeRoom make_room_ = nullptr;
    void* owner_ = nullptr;
    WorkMemory* work_memory_ = nullptr;
    LiveValues* live_ = nullptr;
    int32_t model_ = -1;
};

// Throws what a kernel reported, if it did.
void throw_fault(const Fault& fault);

// Queues are never destroyed: memory that outlives its environment is released in the order of its queue.
// Those given back are used again.
Queue& open_queue(int ordinal);
void close_queue(Queue& queue);

// A block of the queue's memory. Throws Error out_of_memory, with the sizes, when also the queue's owner can
// give none back.
void* take_block(Queue& queue, size_t bytes);

// Memory that an op needs while it runs; in the order of the queue, so it may be gone before the kernels ran.
class Scratch {
  public:
    Scratch(Queue& queue, size_t bytes);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    template <class T>
    T* as() const {
        return static_cast<T*>(data_);
    }

  private:
    Queue& queue_;
    size_t bytes_;
    void* data_;
};

}  // namespace nativegrad::cuda
