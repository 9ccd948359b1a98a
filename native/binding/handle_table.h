// The tensors of one environment. A handle is an integer of 53 bits, generation and slot, so a stale one is
// an error.
//
// Each slot keeps a weak reference (count 0, no finalizer) to the tensor's JavaScript object. Node runs no
// finalizer inside a synchronous loop, but such a reference does read as empty there once V8 has collected
// the object; so before memory grows past a threshold, `sweep` walks the slots and frees those whose object
// is gone.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "tensor/storage.h"
#include "tensor/tensor_view.h"

namespace nativegrad {

using Handle = int64_t;

struct TensorSlot {
    StorageRef storage;
    TensorView view;
    int32_t device;
    uint32_t generation;
    bool used;
    napi_ref object;
};

struct HandleStats {
    int64_t tensors, bytes, sweeps, swept, collections;
};

class HandleTable {
  public:
    explicit HandleTable(napi_env env) : env_(env) {}
    ~HandleTable();
    HandleTable(const HandleTable&) = delete;
    HandleTable& operator=(const HandleTable&) = delete;

    // Registers a tensor whose JavaScript object is `object`.
    Handle insert(napi_value object, StorageRef storage, const TensorView& view, int32_t device);

    // An object that is no tensor but holds `bytes` of memory: `release` gives them back once it is
    // collected.
    void insert_owner(napi_value object, int64_t bytes, std::function<void()> release);

    // Null when the handle is stale.
    TensorSlot* find(Handle handle);

    bool remove(Handle handle);

    // The tensor's elements lie in `storage` from now on.
    void replace_storage(TensorSlot& slot, StorageRef storage);

    // New memory under the collection rules; throws Error out_of_memory with the sizes.
    StorageRef allocate(const Placement& placement, int64_t bytes);

    // Sweeps, and collects if need be, when enough has come since the last time; `bytes` are about to come.
    // Slots may be freed meanwhile, so hold on to the storage that is still needed.
    void make_room(int64_t bytes);

    // Frees what JavaScript has dropped; returns the bytes given back.
    int64_t sweep();

    // For ops that find no memory: sweeps at attempt 0, collects at 1; false where nothing is left to try.
    bool make_room_for_op(int32_t attempt);

    HandleStats stats() const;

  private:
    struct Owner {
        napi_ref object;
        int64_t bytes;
        std::function<void()> release;
    };

    void free_slot(uint32_t index);
    void free_owner(Owner& owner);
    bool is_collected(napi_ref object);
    void sweep_owners();
    void collect();
    int64_t collect_once();

    napi_env env_;
    std::vector<TensorSlot> slots_;
    std::vector<uint32_t> free_;
    std::vector<Owner> owners_;
    int64_t bytes_ = 0;  // of storage reached from this table, counted once per handle that brought it
    int64_t base_bytes_ = 0,
            base_tensors_ = 0;                    // what was alive after the last sweep
    int64_t byte_threshold_ = int64_t{12} << 20;  // a sweep is due after this much growth
    // The most that a recent collection left alive. A step fills and frees that much each time, so what comes
    // within it is no sign of garbage, and a collection costs as much as a few million multiply-adds.
    int64_t survivors_ = 0;
    int64_t insert_threshold_ = 1 << 15;  // or this many new tensors; both grow with what is alive
    HandleStats counters_{};
};

}  // namespace nativegrad
