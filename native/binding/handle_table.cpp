#include "binding/handle_table.h"

#include <algorithm>

#include "backend/error.h"
#include "program/recorder.h"

namespace nativegrad {

namespace {

constexpr int slot_bits = 24;
constexpr int64_t slot_mask = (int64_t{1} << slot_bits) - 1;
constexpr uint32_t generation_limit = uint32_t{1} << (53 - slot_bits);

constexpr int64_t least_byte_threshold = int64_t{12} << 20;
constexpr int64_t least_insert_threshold = 1 << 15;

// More than half of V8's largest heap, so that the report of it makes V8 collect at once.
constexpr int64_t external_pressure = int64_t{1} << 42;

// What a step that is being captured makes has no memory yet.
int64_t held_bytes(const Storage& storage) { return is_recorded(storage) ? 0 : storage.bytes(); }

}  // namespace

HandleTable::~HandleTable() {
    for (uint32_t index = 0; index < slots_.size(); ++index) {
        if (slots_[index].used) free_slot(index);
    }
    for (Owner& owner : owners_) free_owner(owner);
}

Handle HandleTable::insert(napi_value object, StorageRef storage, const TensorView& view, int32_t device) {
    napi_ref reference = nullptr;
    if (napi_create_reference(env_, object, 0, &reference) != napi_ok) {
        throw Error(Status::internal, "cannot make a weak reference to the tensor object");
    }
    uint32_t index;
    if (free_.empty()) {
        if (static_cast<int64_t>(slots_.size()) > slot_mask) {
            napi_delete_reference(env_, reference);
            fail("more than %lld tensors are alive", static_cast<long long>(slot_mask + 1));
        }
        index = static_cast<uint32_t>(slots_.size());
        slots_.push_back({});
        slots_.back().generation = 1;
    } else {
        index = free_.back();
        free_.pop_back();
    }
    TensorSlot& slot = slots_[index];
    bytes_ += held_bytes(*storage.get());
    ++counters_.tensors;
    slot.storage = std::move(storage);
    slot.view = view;
    slot.device = device;
    slot.used = true;
    slot.object = reference;
    return (static_cast<int64_t>(slot.generation) << slot_bits) | index;
}

void HandleTable::insert_owner(napi_value object, int64_t bytes, std::function<void()> release) {
    Owner owner{nullptr, bytes, std::move(release)};
    if (napi_create_reference(env_, object, 0, &owner.object) != napi_ok)
        throw Error(Status::internal, "cannot make a weak reference to a program's object");
    owners_.push_back(std::move(owner));
    bytes_ += bytes;
}

TensorSlot* HandleTable::find(Handle handle) {
    const int64_t index = handle & slot_mask;
    if (handle <= 0 || index >= static_cast<int64_t>(slots_.size())) return nullptr;
    TensorSlot& slot = slots_[static_cast<size_t>(index)];
    return slot.used && slot.generation == static_cast<uint32_t>(handle >> slot_bits) ? &slot : nullptr;
}

bool HandleTable::remove(Handle handle) {
    if (find(handle) == nullptr) return false;
    free_slot(static_cast<uint32_t>(handle & slot_mask));
    return true;
}

void HandleTable::replace_storage(TensorSlot& slot, StorageRef storage) {
    bytes_ += held_bytes(*storage.get()) - held_bytes(*slot.storage.get());
    slot.storage = std::move(storage);
}

void HandleTable::free_slot(uint32_t index) {
    TensorSlot& slot = slots_[index];
    napi_delete_reference(env_, slot.object);
    bytes_ -= held_bytes(*slot.storage.get());
    --counters_.tensors;
    slot.storage.reset();
    slot.object = nullptr;
    slot.used = false;
    if (++slot.generation == generation_limit) slot.generation = 1;
    free_.push_back(index);
}

void HandleTable::free_owner(Owner& owner) {
    napi_delete_reference(env_, owner.object);
    bytes_ -= owner.bytes;
    owner.release();
}

bool HandleTable::is_collected(napi_ref object) {
    napi_value value = nullptr;
    return napi_get_reference_value(env_, object, &value) == napi_ok && value == nullptr;
}

void HandleTable::sweep_owners() {
    napi_handle_scope scope;
    if (owners_.empty() || napi_open_handle_scope(env_, &scope) != napi_ok) return;
    const auto is_dead = [&](Owner& owner) {
        if (!is_collected(owner.object)) return false;
        free_owner(owner);
        return true;
    };
    owners_.erase(std::remove_if(owners_.begin(), owners_.end(), is_dead), owners_.end());
    napi_close_handle_scope(env_, scope);
}

int64_t HandleTable::sweep() {
    const int64_t before = bytes_;
    sweep_owners();
    constexpr uint32_t slots_per_scope = 1024;
    for (uint32_t start = 0; start < slots_.size(); start += slots_per_scope) {
        // Each live object read back makes a local handle; a scope per chunk keeps their number small.
        napi_handle_scope scope;
        if (napi_open_handle_scope(env_, &scope) != napi_ok) break;
        const uint32_t end =
            std::min<uint32_t>(static_cast<uint32_t>(slots_.size()), start + slots_per_scope);
        for (uint32_t index = start; index < end; ++index) {
            if (!slots_[index].used) continue;
            if (!is_collected(slots_[index].object)) continue;
            free_slot(index);
            ++counters_.swept;
        }
        napi_close_handle_scope(env_, scope);
    }
    ++counters_.sweeps;
    base_bytes_ = bytes_;
    base_tensors_ = counters_.tensors;
    return before - bytes_;
}

// V8 does not see the memory behind a tensor. Reporting a huge external allocation for a moment makes it
// collect now.
int64_t HandleTable::collect_once() {
    int64_t total = 0;
    napi_adjust_external_memory(env_, external_pressure, &total);
    napi_adjust_external_memory(env_, -external_pressure, &total);
    ++counters_.collections;
    return sweep();
}

// Where V8 was marking already, a collection ends that and spares what has died since it began: then little
// comes back of what has come since the last time, and another one starts afresh.
void HandleTable::collect() {
    const int64_t expected = bytes_ - survivors_;
    if (collect_once() < expected / 2) collect_once();
    survivors_ = std::max(bytes_, survivors_ - survivors_ / 8);
}

void HandleTable::make_room(int64_t bytes) {
    // The base stays where the last sweep found it: a step that fills and frees the same memory again and
    // again grows only once.
    const int64_t new_bytes = bytes_ + bytes - base_bytes_, new_tensors = counters_.tensors - base_tensors_;
    if (new_bytes < byte_threshold_ && new_tensors < insert_threshold_) return;
    const int64_t tensors_before = counters_.tensors;
    const int64_t freed = sweep();
    if (freed < new_bytes / 2 && tensors_before - counters_.tensors < new_tensors / 2) collect();
    byte_threshold_ = std::max({least_byte_threshold, bytes_ / 2, 2 * survivors_});
    insert_threshold_ = std::max(least_insert_threshold, counters_.tensors);
}

bool HandleTable::make_room_for_op(int32_t attempt) {
    if (attempt == 0) sweep();
    if (attempt == 1) collect();
    return attempt < 2;
}

StorageRef HandleTable::allocate(const Placement& placement, int64_t bytes) {
    void* data = nullptr;
    ErrorMessage error{};
    const auto found = [&] {
        const int32_t status =
            placement.backend->allocate(placement.where, static_cast<size_t>(bytes), &data, &error);
        if (status != static_cast<int32_t>(Status::out_of_memory)) require_ok(status, error);
        return status == 0;
    };
    make_room(bytes);
    bool is_found = found();
    for (int32_t attempt = 0; !is_found && make_room_for_op(attempt); ++attempt) is_found = found();
    if (!is_found) {
        const std::string device = error.text[0] == '\0' ? "" : std::string(" (") + error.text + ")";
        throw Error(Status::out_of_memory,
                    "out of memory on " + device_name(placement) + ": asked for " + std::to_string(bytes) +
                        " bytes while " + std::to_string(counters_.tensors) + " tensors hold " +
                        std::to_string(bytes_) + " bytes" + device +
                        "; dispose of tensors, use scope(), make the batch smaller, or raise the limit with "
                        "setMemoryLimit()");
    }
    return StorageRef(new Storage(placement, data, bytes));
}

HandleStats HandleTable::stats() const {
    HandleStats result = counters_;
    result.bytes = bytes_;
    return result;
}

}  // namespace nativegrad
