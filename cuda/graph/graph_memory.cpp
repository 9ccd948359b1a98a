#include "graph/graph_memory.h"

#include <algorithm>

#include "backend/allocator.h"
#include "backend/error.h"

namespace nativegrad::cuda {

Block::~Block() {
    try {
        release_block(queue_, data_, bytes_);
    } catch (const Error&) {
        // The device is lost, and its memory with it.
    }
}

Upload::~Upload() {
    try {
        wait();
        destroy(sent_);
        release_host(data_);
    } catch (const Error&) {
        // As above.
    }
}

void Upload::wait() {
    if (is_sent_ && !is_done(sent_)) synchronize(sent_);
    is_sent_ = false;
}

char* Upload::room(size_t bytes) {
    wait();
    if (bytes <= bytes_) return data_;
    if (sent_.handle == nullptr) sent_ = create_event();
    release_host(data_);
    data_ = nullptr;
    const size_t wanted = std::max(bytes, 2 * bytes_);
    bytes_ = 0;
    data_ = static_cast<char*>(allocate_host(wanted));
    if (data_ == nullptr)
        throw Error(Status::out_of_memory, "[cuda] no page-locked memory left for the steps of a graph");
    bytes_ = wanted;
    return data_;
}

void Upload::send(char* to, size_t offset, size_t bytes, Stream stream) {
    copy_to_device(to, data_ + offset, bytes, stream);
    record(sent_, stream);
    is_sent_ = true;
}

}  // namespace nativegrad::cuda
