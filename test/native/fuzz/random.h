// Numbers from a seed (splitmix64), the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace nativegrad::fuzz {

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t bits() {
        state_ += 0x9e3779b97f4a7c15u;
        uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // in [low, high]
    int64_t integer(int64_t low, int64_t high) {
        return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
    }
    double uniform(double low = 0, double high = 1) {
        return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
    }
    bool chance(double probability) { return uniform() < probability; }
    template <class T>
    T pick(std::initializer_list<T> choices) {
        return choices.begin()[bits() % choices.size()];
    }
    // Sizes at, before and behind what tiles and vectors are made of, and any in between.
    int64_t size(int64_t largest) {
        int64_t size;
        if (chance(0.3)) {
            size = integer(1, largest < 12 ? largest : 12);
        } else if (chance(0.6)) {
            size = pick<int64_t>({8, 14, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024}) + integer(-1, 1);
        } else {
            size = integer(1, largest);
        }
        return size > largest ? integer(1, largest) : size;
    }

  private:
    uint64_t state_;
};

}  // namespace nativegrad::fuzz
