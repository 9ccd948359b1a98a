#include "backend/queue.h"

#include <string>

#include "backend/allocator.h"
#include "backend/error.h"
#include "backend/graphs.h"

namespace nativegrad::cuda {

namespace {

struct Queues {
    std::mutex mutex;
    std::vector<Queue*> idle[max_devices];
};

Queues& queues() {
    static Queues* const instance = new Queues;
    return *instance;
}

// "3", or "[0, 3]" where the sizes are told.
std::string place_text(const Fault& fault) {
    if (fault.rank == 0) return std::to_string(fault.place);
    std::string text;
    int64_t rest = fault.place;
    for (int32_t axis = fault.rank - 1; axis >= 0; --axis) {
        text = std::to_string(rest % fault.sizes[axis]) + (text.empty() ? "" : ", ") + text;
        rest /= fault.sizes[axis];
    }
    return "[" + text + "]";
}

std::string text_of(const Fault& fault) {
    const int32_t model = fault.op / fault_models - 1;
    const std::string label = model < 0 ? "" : model_label + std::to_string(model) + ": ";
    const std::string op = label + "[" + op_name(static_cast<OpCode>(fault.op % fault_models - 1)) + "] ";
    const std::string value = std::to_string(fault.value), place = place_text(fault);
    const std::string range = "[" + std::to_string(fault.low) + ", " + std::to_string(fault.limit) + ")";
    switch (fault.kind) {
        case FaultKind::index_out_of_range:
            return op + "index " + value + " at position " + place + " is outside " + range;
        case FaultKind::label_out_of_range:
            return op + "label " + value + " at row " + place + " is outside " + range;
        case FaultKind::integer_division_by_zero:
            return op + "integer division by zero; cast to a float dtype to get Infinity or NaN";
    }
    return op + "a kernel met a wrong value";
}

}  // namespace

Queue::Queue(int ordinal) : ordinal_(ordinal) {
    const DeviceScope device(ordinal);
    faults_ = static_cast<Fault*>(allocate(sizeof(Fault)));
    if (faults_ == nullptr)
        throw Error(Status::out_of_memory, "[cuda] out of memory on cuda:" + std::to_string(ordinal) +
                                               ": not even a queue finds room (" + memory_text(ordinal) +
                                               ")");
    stream_ = create_stream();
    fill_bytes(faults_, 0, sizeof(Fault), stream_);
}

Queue::Queue(Queue& root, WorkMemory& memory, LiveValues& live, int32_t model)
    : ordinal_(root.ordinal()), faults_(root.faults()), work_memory_(&memory), live_(&live), model_(model) {}

// A read of nothing: what kernels reported is taken in the order of the stream, while other threads may give
// it more work.
void Queue::synchronize() { reads_.finish(reads_.begin(nullptr, 0), nullptr); }

void throw_fault(const Fault& fault) {
    if (fault.op == 0) return;
    throw Error(Status::invalid_argument, text_of(fault) + "; found when the results were waited for");
}

Queue& open_queue(int ordinal) {
    require_code(ordinal);
    Queues& all = queues();
    const std::lock_guard<std::mutex> lock(all.mutex);
    std::vector<Queue*>& idle = all.idle[ordinal];
    if (idle.empty()) return *new Queue(ordinal);
    Queue* const queue = idle.back();
    idle.pop_back();
    return *queue;
}

void close_queue(Queue& queue) {
    Queues& all = queues();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.idle[queue.ordinal()].push_back(&queue);
}

void* take_block(Queue& queue, size_t bytes) {
    void* data = allocate_block(queue, bytes);
    for (int32_t attempt = 0; data == nullptr && queue.make_room(attempt); ++attempt)
        data = allocate_block(queue, bytes);
    if (data != nullptr) return data;
    const int ordinal = queue.ordinal();
    throw Error(Status::out_of_memory,
                "out of memory on cuda:" + std::to_string(ordinal) + ": asked for " + std::to_string(bytes) +
                    " bytes for a work buffer (" + memory_text(ordinal) +
                    "); dispose of tensors, make the batch smaller, or raise the limit with "
                    "setMemoryLimit()");
}

Scratch::Scratch(Queue& queue, size_t bytes)
    : queue_(queue),
      bytes_(bytes),
      data_(queue.work_memory() != nullptr ? queue.work_memory()->take(bytes) : take_block(queue, bytes)) {}

Scratch::~Scratch() {
    if (queue_.work_memory() != nullptr) {
        queue_.work_memory()->give_back(data_, bytes_);
    } else {
        release_block(queue_, data_, bytes_);
    }
}

}  // namespace nativegrad::cuda
