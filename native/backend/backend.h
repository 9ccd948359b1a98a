// The backend contract: one function per row of op_table.def behind a plain C table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/op_params.h"
#include "tensor/tensor_view.h"

namespace nativegrad {

enum class OpCode : int32_t {
#define X(name, Params, layout) name,
#include "ops/op_table.def"
#undef X
    count
};

constexpr int32_t op_count = static_cast<int32_t>(OpCode::count);

const char* op_name(OpCode op);

// A device of a backend, counted from 0, and the queue of the caller's environment on it. What one queue is
// given runs in that order; the CPU has no queues: there, all work is done when a function returns.
struct DeviceQueue {
    int32_t ordinal;
    void* queue;
};

// One execution of one op. Outputs are allocated; inputs may be views. models = 1 except inside a program.
struct OpCall {
    int32_t models;
    int32_t input_count;
    int32_t output_count;
    const TensorView* inputs;
    const TensorView* outputs;
    const void* params;
    DeviceQueue where{};
};

// device_lost: the device cannot be used by this process any more.
enum class Status : int32_t { ok, invalid_argument, out_of_memory, internal, device_lost };

struct ErrorMessage {
    char text[1024];
};

using OpFunction = int32_t (*)(const OpCall*, ErrorMessage*);

struct DeviceInfo {
    char name[256];
    int64_t memory_bytes;
    int32_t major, minor;     // compute capability; 0 on the CPU
    int32_t processors;       // multiprocessors, or logical processors
    int32_t driver, runtime;  // versions as CUDA counts them (13000 = 13.0); 0 on the CPU
};

// A library that the backend opens at run time.
struct LibraryInfo {
    char path[1024];
    int64_t version;     // 130100 and the like
    char choices[1280];  // what is known of the fastest ways to use it
};

// What the process has asked of the backend's devices so far: waits of a host thread, copies from and to the
// host, kernels and graphs given to queues.
struct WorkCounts {
    int64_t host_waits, copies_from_host, copies_to_host, launches, graph_launches;
};

struct MemoryStats {
    int64_t live_bytes;    // held by tensors, in the sizes of the blocks
    int64_t cached_bytes;  // freed and kept for reuse
    int64_t peak_bytes;    // largest live_bytes so far
    int64_t limit_bytes;   // 0 = none
};

// Frees memory of a queue that nobody needs any more, with more effort at each attempt (0, 1, ...); false
// where nothing is left to try, as on another thread than the owner's.
using MakeRoom = bool (*)(void* owner, int32_t attempt);

struct GraphTable;
struct MarkTable;

// Functions that return int32_t give a Status, and a message where it is not `ok`.
struct BackendTable {
    uint64_t abi_hash;
    const char* name;
    int32_t (*device_count)(int32_t* count, ErrorMessage* error);
    int32_t (*describe)(int32_t ordinal, DeviceInfo* info, ErrorMessage* error);
    // Where the library of large products lies: `only`, a file or folder, or else `also` (a folder) among the
    // usual places. Empty strings name none. Before the first product.
    void (*name_library)(const char* only, const char* also);
    // The file that keeps which way of making a product was the fastest, empty for none; `deterministic`:
    // none is timed, and bits are those of every run. At any time.
    void (*configure_products)(const char* file, int32_t deterministic);
    // Opens it; where that fails the message says what was tried, and products are the backend's own.
    int32_t (*describe_library)(LibraryInfo* info, ErrorMessage* error);
    int32_t (*open_queue)(int32_t ordinal, void** queue, ErrorMessage* error);
    // Waits for what it was given. Memory of the queue may be released after it was closed.
    void (*close_queue)(DeviceQueue where);
    // Returns when all the work given is done; errors of that work come up here.
    int32_t (*synchronize)(DeviceQueue where, ErrorMessage* error);
    // What ops call, on the thread that runs them, when there is no memory left for a work buffer.
    void (*set_make_room)(DeviceQueue where, MakeRoom make_room, void* owner);
    // out_of_memory, with a message about the device alone, when there is no memory left.
    int32_t (*allocate)(DeviceQueue where, size_t bytes, void** data, ErrorMessage* error);
    void (*release)(DeviceQueue where, void* data, size_t bytes);
    // The host memory may be used again on return.
    int32_t (*copy_from_host)(DeviceQueue where, void* to, const void* host, size_t bytes,
                              ErrorMessage* error);
    int32_t (*copy_to_host)(DeviceQueue where, void* host, const void* from, size_t bytes,
                            ErrorMessage* error);
    // A read that waits for nothing: the elements are taken as the work given so far leaves them. `read` is
    // what finish_read() takes, once, on any thread: it waits for that work, whose errors come up there, and
    // writes the elements to `host`, or drops them where that is null.
    int32_t (*begin_read)(DeviceQueue where, const void* from, size_t bytes, void** read,
                          ErrorMessage* error);
    int32_t (*finish_read)(DeviceQueue where, void* read, void* host, ErrorMessage* error);
    // Within the device, in the order of the queue.
    int32_t (*copy)(DeviceQueue where, void* to, const void* from, size_t bytes, ErrorMessage* error);
    MemoryStats (*memory)(int32_t ordinal);
    // What the device itself counts as free, for all processes, and all that it has.
    int32_t (*device_memory)(int32_t ordinal, int64_t* free_bytes, int64_t* total_bytes, ErrorMessage* error);
    void (*set_memory_limit)(int32_t ordinal, int64_t bytes);
    void (*reset_peak)(int32_t ordinal);
    int64_t (*empty_cache)(int32_t ordinal);  // returns the bytes given back
    WorkCounts (*work_counts)();
    // Null where calls are run one by one.
    const GraphTable* graphs;
    // Null where calls are done when they return.
    const MarkTable* marks;
    OpFunction ops[op_count];
};

// Changes with every name, order, field or layout in the op table.
uint64_t backend_abi_hash();

// Runs the op for every model of the call; throws Error with the op's name in front.
void run_op(const BackendTable& backend, OpCode op, const OpCall& call);

}  // namespace nativegrad
