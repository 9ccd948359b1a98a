#include "runtime/room.h"

#include <atomic>

#include "backend/error.h"
#include "runtime/runtime.h"

namespace nativegrad::cuda {

namespace {

std::atomic<bool (*)(int)> make_room{nullptr};

bool has_room_now() {
    const auto registered = make_room.load();
    try {
        return registered != nullptr && registered(current_device());
    } catch (const Error&) {
        // What the caller threw says more.
        return false;
    }
}

}  // namespace

void on_full_memory(bool (*function)(int device)) { make_room.store(function); }

void detail::run_with_room(void (*run)(const void* body), const void* body) {
    try {
        return run(body);
    } catch (const Error& error) {
        if (error.status != Status::out_of_memory || !has_room_now()) throw;
    }
    run(body);
}

}  // namespace nativegrad::cuda
