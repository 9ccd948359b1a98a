#include "sim/fibers.h"

#include <sys/mman.h>

#include <vector>

#include "backend/error.h"
#include "sim/asan.h"
#include "sim/lanes.h"

namespace nativegrad::cuda::sim {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

Fiber host_fiber{};
uintptr_t stacks_begin = 0;
size_t stacks_bytes = 0;

namespace {

// One more than lanes: the fiber that starts lanes while the others are parked.
constexpr int max_fibers = max_lanes + 1;

Fiber fibers[max_fibers];
int made = 0;
std::vector<Fiber*> idle;
void (*fiber_body)(Fiber*) = nullptr;
// What the fiber that is being entered has to save its predecessor's context in.
Fiber* leaving = nullptr;

#ifdef __SANITIZE_ADDRESS__
const void* host_stack_bottom = nullptr;
size_t host_stack_size = 0;

void announce_switch(Fiber* from, Fiber* to) {
    const bool to_host = to == &host_fiber;
    __sanitizer_start_switch_fiber(&from->fake_stack, to_host ? host_stack_bottom : to->stack,
                                   to_host ? host_stack_size : stack_bytes);
}
void finish_switch(void* fake_stack) {
    const void* bottom = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(fake_stack, &bottom, &size);
    if (leaving == &host_fiber) {
        host_stack_bottom = bottom;
        host_stack_size = size;
    }
}
#else
void announce_switch(Fiber*, Fiber*) {}
void finish_switch(void*) {}
#endif

void enter(transfer_t transfer) {
    finish_switch(nullptr);
    leaving->context = transfer.fctx;
    Fiber* self = static_cast<Fiber*>(transfer.data);
    for (;;) fiber_body(self);
}

void make_context(Fiber* fiber) {
    // Stacks that begin at the same place of a page would share the sets of the caches.
    const size_t colour = static_cast<size_t>(fiber - fibers) % 256 * 192;
    fiber->context = make_fcontext(fiber->stack + stack_bytes - colour, stack_bytes - 4096 - colour, enter);
}

void reserve_stacks() {
    const size_t bytes = stack_bytes * max_fibers;
    void* data =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        throw Error(Status::out_of_memory, "[cuda_sim] cannot reserve the stacks of the lanes");
    stacks_begin = reinterpret_cast<uintptr_t>(data);
    stacks_bytes = bytes;
}

}  // namespace

Fiber* take_fiber(void (*body)(Fiber*)) {
    fiber_body = body;
    if (idle.empty()) {
        if (made == 0) reserve_stacks();
        if (made == max_fibers) throw Error(Status::internal, "[cuda_sim] more fibers than lanes");
        Fiber* fiber = &fibers[made];
        fiber->stack = reinterpret_cast<char*>(stacks_begin) + static_cast<size_t>(made) * stack_bytes;
        // A page below each stack that nobody may touch: an overflow is a fault, not a wrong number.
        mprotect(fiber->stack, 4096, PROT_NONE);
        ++made;
        make_context(fiber);
        return fiber;
    }
    Fiber* fiber = idle.back();
    idle.pop_back();
    return fiber;
}

void give_back(Fiber* fiber) { idle.push_back(fiber); }

void abandon_fibers() {
    idle.clear();
    for (int i = made - 1; i >= 0; --i) {
        unpoison_for_asan(fibers[i].stack + 4096, stack_bytes - 4096);
        make_context(&fibers[i]);
        idle.push_back(&fibers[i]);
    }
}

void switch_fiber(Fiber* from, Fiber* to) {
    leaving = from;
    announce_switch(from, to);
    const transfer_t transfer = jump_fcontext(to->context, to);
    finish_switch(from->fake_stack);
    leaving->context = transfer.fctx;
}

}  // namespace nativegrad::cuda::sim
