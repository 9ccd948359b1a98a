// What a full device can get back: a launch loads the code of its kernel at the first use, and finds no room
// for it where a cache holds all the memory.
#pragma once

namespace nativegrad::cuda {

// `make_room` frees memory of the device that nobody uses, and says whether there was any. Set once.
void on_full_memory(bool (*make_room)(int device));

namespace detail {

// run(body); once more where it threw out_of_memory and room could be made on the current device.
void run_with_room(void (*run)(const void* body), const void* body);

}  // namespace detail

// The body must do nothing before it throws.
template <class Body>
void with_room(const Body& body) {
    detail::run_with_room([](const void* given) { (*static_cast<const Body*>(given))(); }, &body);
}

}  // namespace nativegrad::cuda
