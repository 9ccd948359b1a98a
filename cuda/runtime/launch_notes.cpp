#include "runtime/launch_notes.h"

namespace nativegrad::cuda {

namespace {

thread_local LaunchNotes* active = nullptr;

}  // namespace

LaunchNotes::LaunchNotes(Stream stream) : stream_(stream) { active = this; }

LaunchNotes::~LaunchNotes() { active = nullptr; }

LaunchNotes* LaunchNotes::of(Stream stream) {
    return active != nullptr && active->stream_.handle == stream.handle ? active : nullptr;
}

}  // namespace nativegrad::cuda
