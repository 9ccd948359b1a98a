// Stacks and switches between them, on Boost.Context. A fiber runs `body` again and again, each time it is
// entered idle.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>

namespace nativegrad::cuda::sim {

struct Fiber {
    boost::context::detail::fcontext_t context;
    char* stack;  // lowest address
    int lane;     // that it runs
    void* fake_stack;
};

constexpr size_t stack_bytes = 256 * 1024;

// The thread's own stack, from which a block is run.
extern Fiber host_fiber;

// An idle fiber with its context at the start of body(fiber).
Fiber* take_fiber(void (*body)(Fiber*));
void give_back(Fiber* fiber);
// After an error: every fiber starts anew, whatever it was doing.
void abandon_fibers();
// Leaves `from` (where it continues when someone switches back) for `to`.
void switch_fiber(Fiber* from, Fiber* to);

}  // namespace nativegrad::cuda::sim
