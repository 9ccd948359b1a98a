// A stable sort of small integer keys, on the device: equal keys come to lie side by side in the order in
// which they came, so that one thread can add up what belongs to a key, always in the same order.
#pragma once

#include "backend/queue.h"

namespace nativegrad::cuda {

class KeyOrder {
  public:
    // For `count` keys in [0, limit], fewer than 2^31 of them.
    KeyOrder(Queue& queue, int64_t count, int64_t limit);

    // To be filled by the caller before sort().
    uint32_t* keys() const { return keys_.as<uint32_t>(); }
    void sort();

    const uint32_t* sorted_keys() const { return keys_.as<uint32_t>() + (swapped_ ? count_ : 0); }
    // For each sorted key, where it stood.
    const int32_t* order() const { return order_.as<int32_t>() + (swapped_ ? count_ : 0); }

    static constexpr int64_t largest_limit = UINT32_MAX;

  private:
    void sort_digit(int shift);

    Queue& queue_;
    int64_t count_, limit_, tiles_;
    bool swapped_ = false;
    Scratch keys_, order_, counts_;  // two of count_; two of count_; tiles_ x digits
};

}  // namespace nativegrad::cuda
