// Memory between two pages that nobody may touch: an operand ends right before the one or starts right after
// the other, and what remains of its page holds a pattern that is looked at afterwards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nativegrad::fuzz {

class GuardedMemory {
  public:
    explicit GuardedMemory(size_t capacity);
    ~GuardedMemory();
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;

    // Room for `bytes`, flush with the guard behind it or before it; null where that is too much.
    char* place(size_t bytes, bool at_end);
    // False where somebody wrote beside what was placed.
    bool is_intact() const;

  private:
    static constexpr size_t border = 256;

    char* map_;
    char* body_;
    size_t capacity_, page_;
    char *first_ = nullptr, *last_ = nullptr;  // of what is placed
};

}  // namespace nativegrad::fuzz
