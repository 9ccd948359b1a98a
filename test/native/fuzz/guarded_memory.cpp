#include "guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>

namespace nativegrad::fuzz {

namespace {

constexpr unsigned char pattern = 0xa7;

}  // namespace

GuardedMemory::GuardedMemory(size_t capacity) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    capacity_ = (capacity + page_ - 1) / page_ * page_;
    void* map = mmap(nullptr, capacity_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<char*>(map);
    body_ = map_ + page_;
    if (mprotect(body_, capacity_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
}

GuardedMemory::~GuardedMemory() { munmap(map_, capacity_ + 2 * page_); }

char* GuardedMemory::place(size_t bytes, bool at_end) {
    if (bytes > capacity_) return nullptr;
    first_ = at_end ? body_ + capacity_ - bytes : body_;
    last_ = first_ + bytes;
    std::fill(std::max(body_, first_ - border), first_, static_cast<char>(pattern));
    std::fill(last_, std::min(body_ + capacity_, last_ + border), static_cast<char>(pattern));
    return first_;
}

bool GuardedMemory::is_intact() const {
    const auto untouched = [](char byte) { return static_cast<unsigned char>(byte) == pattern; };
    return first_ == nullptr || (std::all_of(std::max(body_, first_ - border), first_, untouched) &&
                                 std::all_of(last_, std::min(body_ + capacity_, last_ + border), untouched));
}

}  // namespace nativegrad::fuzz
