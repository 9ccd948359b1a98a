// The queues of one environment, one per device, opened at the first use.
#pragma once

#include <vector>

#include "backend/registry.h"

namespace nativegrad {

class Queues {
  public:
    // The owner is asked for room where an op finds no memory.
    Queues(MakeRoom make_room, void* owner) : make_room_(make_room), owner_(owner) {}
    ~Queues();
    Queues(const Queues&) = delete;
    Queues& operator=(const Queues&) = delete;

    // Throws Error where there is no such device, or it cannot be used.
    const Placement& on(int32_t device);

  private:
    MakeRoom make_room_;
    void* owner_;
    std::vector<Placement> placements_;  // the backend is null until the first use
};

}  // namespace nativegrad
