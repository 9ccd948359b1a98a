// Orders of n things that a seed gives, without a table: start + i step (mod n) with a step that has no
// divisor in common with n.
#pragma once

#include <cstdint>
#include <numeric>

namespace nativegrad::cuda::sim {

// splitmix64
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    bool flip() { return (next() & 1) != 0; }

  private:
    uint64_t state_;
};

class Order {
  public:
    explicit Order(int64_t count = 1) : count_(count), start_(0), step_(1) {}
    Order(int64_t count, Random& random) : count_(count), start_(0), step_(1) {
        if (count < 2) return;
        const uint64_t n = static_cast<uint64_t>(count);
        start_ = static_cast<int64_t>(random.next() % n);
        // Runs upwards and downwards are among the likely ones: they are what a missing barrier depends on.
        const uint64_t kind = random.next() % 4;
        step_ = kind == 0 ? 1 : kind == 1 ? count - 1 : static_cast<int64_t>(random.next() % n);
        while (step_ == 0 || std::gcd(step_, count) != 1) step_ = (step_ + 1) % count;
    }
    int64_t at(int64_t i) const { return (start_ + i * step_ % count_) % count_; }
    // All of them, without a division each.
    void list(int* places) const {
        int64_t place = start_;
        for (int64_t i = 0; i < count_; ++i) {
            places[i] = static_cast<int>(place);
            place += step_;
            if (place >= count_) place -= count_;
        }
    }

  private:
    int64_t count_, start_, step_;
};

}  // namespace nativegrad::cuda::sim
