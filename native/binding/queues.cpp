#include "binding/queues.h"

namespace nativegrad {

Queues::~Queues() {
    for (const Placement& placement : placements_) {
        if (placement.backend != nullptr) placement.backend->close_queue(placement.where);
    }
}

const Placement& Queues::on(int32_t device) {
    const size_t index = static_cast<size_t>(device);
    if (device >= 0 && index < placements_.size() && placements_[index].backend != nullptr)
        return placements_[index];
    const Device found = device_at(device);
    Placement placement{found.backend, {found.ordinal, nullptr}};
    ErrorMessage error{};
    require_ok(found.backend->open_queue(found.ordinal, &placement.where.queue, &error), error);
    found.backend->set_make_room(placement.where, make_room_, owner_);
    if (placements_.size() <= index) placements_.resize(index + 1);
    return placements_[index] = placement;
}

}  // namespace nativegrad
