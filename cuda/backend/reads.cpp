#include "backend/reads.h"

#include <cstring>

#include "backend/allocator.h"
#include "backend/error.h"
#include "backend/queue.h"

namespace nativegrad::cuda {

namespace {

constexpr size_t small_bytes = size_t{64} << 10;

// A burst of reads, of all tensors of a model, needs more; those are given back when it is over.
constexpr size_t most_idle = 64;

}  // namespace

struct Reads::Read {
    struct Locked {
        Fault fault;
        char elements[small_bytes];
    };

    Locked* locked = nullptr;  // page-locked
    Event done;
    size_t bytes = 0;
    void* copy = nullptr;          // of a large tensor, on the device
    std::unique_ptr<char[]> here;  // of a large tensor for whose copy the device has no memory

    Read() = default;
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;
    ~Read() {
        try {
            destroy(done);
            release_host(locked);
        } catch (const Error&) {
            // The device is lost, and its memory with it.
        }
    }
};

Reads::Read& Reads::idle() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!idle_.empty()) {
            Read* const read = idle_.back();
            idle_.pop_back();
            return *read;
        }
    }
    auto read = std::make_unique<Read>();
    read->done = create_event();
    read->locked = static_cast<Read::Locked*>(allocate_host(sizeof(Read::Locked)));
    if (read->locked == nullptr)
        throw Error(Status::out_of_memory, "no page-locked memory left to read into");
    return *read.release();
}

void Reads::put_back(Read& read) {
    if (read.copy != nullptr) release_block(queue_, read.copy, read.bytes);
    read.copy = nullptr;
    read.here.reset();
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (idle_.size() < most_idle) {
            idle_.push_back(&read);
            return;
        }
    }
    delete &read;
}

Reads::Read* Reads::begin(const void* from, size_t bytes) {
    const DeviceScope device(queue_.ordinal());
    Read& read = idle();
    try {
        read.bytes = bytes;
        if (bytes > small_bytes) read.copy = allocate_block(queue_, bytes);
        if (read.copy != nullptr) {
            copy_on_device(read.copy, from, bytes, queue_.stream());
        } else if (bytes > small_bytes) {
            read.here.reset(new char[bytes]);
            queue_.staging().to_host(read.here.get(), from, bytes, queue_.stream());
        } else if (bytes > 0) {
            copy_to_host(read.locked->elements, from, bytes, queue_.stream());
        }
        take_fault(queue_.faults(), &read.locked->fault, queue_.stream());
        record(read.done, queue_.stream());
    } catch (...) {
        put_back(read);
        throw;
    }
    return &read;
}

void Reads::take(Read& read, void* host) {
    synchronize(read.done);
    if (host == nullptr || read.bytes == 0) return;
    if (read.here != nullptr) {
        std::memcpy(host, read.here.get(), read.bytes);
    } else if (read.copy == nullptr) {
        std::memcpy(host, read.locked->elements, read.bytes);
    } else {
        const std::lock_guard<std::mutex> lock(stream_mutex_);
        if (stream_.handle == nullptr) stream_ = create_stream();
        staging_.to_host(host, read.copy, read.bytes, stream_);
    }
}

void Reads::finish(Read* read, void* host) {
    const DeviceScope device(queue_.ordinal());
    Fault fault;
    try {
        take(*read, host);
        fault = read->locked->fault;
    } catch (...) {
        put_back(*read);
        throw;
    }
    put_back(*read);
    throw_fault(fault);
}

}  // namespace nativegrad::cuda
