// Every load and store of a kernel comes by here. Kernel sources are compiled for the simulator with the
// compiler's instrumentation for data races (-fsanitize=thread), and these are its entry points; no sanitizer
// library is linked.
#include <link.h>

#include <cstring>

#include "device/atomics.h"
#include "device/memory.h"
#include "sim/async_copies.h"
#include "sim/block_races.h"
#include "sim/code_position.h"
#include "sim/heap.h"
#include "sim/lanes.h"
#include "sim/pinned.h"
#include "sim/shared_shadow.h"

namespace nativegrad::cuda::sim {

namespace {

struct Module {
    uintptr_t begin = 0, end = 0;
};

// The loaded parts of the library that holds the kernels: their constant tables lie there.
Module find_module() {
    Module module;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* out) {
            const uintptr_t here = reinterpret_cast<uintptr_t>(&find_module);
            Module found{UINTPTR_MAX, 0};
            bool holds = false;
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& part = info->dlpi_phdr[i];
                if (part.p_type != PT_LOAD) continue;
                const uintptr_t begin = info->dlpi_addr + part.p_vaddr, end = begin + part.p_memsz;
                if (begin < found.begin) found.begin = begin;
                if (end > found.end) found.end = end;
                holds |= here >= begin && here < end;
            }
            if (holds) *static_cast<Module*>(out) = found;
            return holds ? 1 : 0;
        },
        &module);
    return module;
}

bool is_parameter(uintptr_t address) {
    return address - reinterpret_cast<uintptr_t>(block.call->parameters.get()) < block.call->parameter_bytes;
}

void check_other(uintptr_t address, size_t bytes, Access access, const void* code) {
    static const Module module = find_module();
    if (is_parameter(address) || is_pinned(reinterpret_cast<void*>(address), bytes)) return;
    if (access == Access::read && address - module.begin < module.end - module.begin) return;
    fail_lane("%s of %zu bytes at %p, which is neither device nor shared memory (%s)",
              access == Access::read ? "read" : "write", bytes, reinterpret_cast<void*>(address),
              code_position(code).c_str());
}

void check_heap(uintptr_t address, size_t bytes, Access access, const void* code) {
    const bool fits =
        bytes <= 16 ? may_touch(address, bytes) : may_touch_range(reinterpret_cast<void*>(address), bytes);
    const int device = heap_device(reinterpret_cast<void*>(address));
    if (fits && device == block.device) {
        if (block_races_checked) block_races_access(address, bytes, access, code);
        return;
    }
    const char* what = access == Access::read ? "read" : "write";
    if (fits) {
        fail_lane("%s of device %d's memory by a kernel on device %d (%s)", what, device, block.device,
                  code_position(code).c_str());
    }
    char where[200];
    describe_address(reinterpret_cast<void*>(address), where, sizeof where);
    fail_lane("%s of %zu bytes at %p, out of bounds: %s (%s)", what, bytes, reinterpret_cast<void*>(address),
              where, code_position(code).c_str());
}

// Host code of kernel sources comes by here, too, and on other threads while a kernel runs: a lane is what
// runs on the stack of a fiber.
inline bool is_lane() {
    return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) - stacks_begin < stacks_bytes;
}

inline void on_access(void* pointer, size_t bytes, Access access, const void* code) {
    if (!is_lane()) return;
    const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
    if (address - stacks_begin < stacks_bytes) return;
    if (--steps_left == 0) fail_endless(code_position(code));
    if (in_heap(pointer)) {
        return check_heap(address, bytes, access, code);
    }
    const size_t offset = address - reinterpret_cast<uintptr_t>(shared_memory());
    if (offset < max_shared_bytes) return shadow_access(offset, bytes, access, code);
    check_other(address, bytes, access, code);
}

inline void on_aligned(void* pointer, size_t bytes, Access access, const void* code) {
    // Of the arguments, the host's compiler takes several at once.
    if (reinterpret_cast<uintptr_t>(pointer) % bytes != 0 && is_lane() &&
        !is_parameter(reinterpret_cast<uintptr_t>(pointer))) {
        fail_lane("%zu bytes at %p, which is not a multiple of that (%s)", bytes, pointer,
                  code_position(code).c_str());
    }
    on_access(pointer, bytes, access, code);
}

// What the first lane of the block took.
constexpr int max_parts = 64;
struct Part {
    size_t offset, bytes;
};
Part parts[max_parts];
int part_count = 0;

}  // namespace

void check_read(const void* address, size_t bytes) {
    on_aligned(const_cast<void*>(address), bytes, Access::read, __builtin_return_address(0));
}
void check_write(void* address, size_t bytes) {
    on_aligned(address, bytes, Access::write, __builtin_return_address(0));
}
void check_atomic(void* address, size_t bytes) {
    on_aligned(address, bytes, Access::atomic, __builtin_return_address(0));
}

void forget_shared_parts() { part_count = 0; }

unsigned char* take_shared(size_t offset, size_t bytes) {
    const size_t available = block.call->grid.shared_bytes;
    if (offset + bytes > available) {
        fail_lane("SharedArena: parts of %zu bytes, but the launch gave %zu", offset + bytes, available);
    }
    Lane& lane = block.lane[current_lane];
    const int index = lane.parts++;
    if (index == part_count) {
        if (index == max_parts) fail_lane("SharedArena: more than %d parts", max_parts);
        parts[part_count++] = {offset, bytes};
    }
    if (parts[index].offset != offset || parts[index].bytes != bytes) {
        fail_lane("SharedArena: part %d is bytes %zu to %zu here, %zu to %zu in another lane", index, offset,
                  offset + bytes, parts[index].offset, parts[index].offset + parts[index].bytes);
    }
    return shared_memory() + offset;
}

}  // namespace nativegrad::cuda::sim

using nativegrad::cuda::sim::Access;
using nativegrad::cuda::sim::on_access;
using nativegrad::cuda::sim::on_aligned;

#define NATIVEGRAD_HOOK extern "C" __attribute__((visibility("hidden"))) void

#define NATIVEGRAD_ACCESS_HOOKS(bytes)                                    \
    NATIVEGRAD_HOOK __tsan_read##bytes(void* p) {                         \
        on_aligned(p, bytes, Access::read, __builtin_return_address(0));  \
    }                                                                     \
    NATIVEGRAD_HOOK __tsan_write##bytes(void* p) {                        \
        on_aligned(p, bytes, Access::write, __builtin_return_address(0)); \
    }                                                                     \
    NATIVEGRAD_HOOK __tsan_unaligned_read##bytes(void* p) {               \
        on_access(p, bytes, Access::read, __builtin_return_address(0));   \
    }                                                                     \
    NATIVEGRAD_HOOK __tsan_unaligned_write##bytes(void* p) {              \
        on_access(p, bytes, Access::write, __builtin_return_address(0));  \
    }

NATIVEGRAD_ACCESS_HOOKS(1)
NATIVEGRAD_ACCESS_HOOKS(2)
NATIVEGRAD_ACCESS_HOOKS(4)
NATIVEGRAD_ACCESS_HOOKS(8)
NATIVEGRAD_ACCESS_HOOKS(16)

NATIVEGRAD_HOOK __tsan_read_range(void* p, size_t bytes) {
    on_access(p, bytes, Access::read, __builtin_return_address(0));
}
NATIVEGRAD_HOOK __tsan_write_range(void* p, size_t bytes) {
    on_access(p, bytes, Access::write, __builtin_return_address(0));
}
NATIVEGRAD_HOOK __tsan_vptr_update(void**, void*) {}
NATIVEGRAD_HOOK __tsan_func_entry(void*) {}
NATIVEGRAD_HOOK __tsan_func_exit() {}
NATIVEGRAD_HOOK __tsan_init() {}
