// Philox 4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011), and the normal distribution on top of it. Pure integer and float operations without contraction: the
// same bits on every instruction set, thread count and device.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

#include "tensor/host_device.h"

namespace nativegrad {

struct PhiloxBlock {
    uint32_t values[4];
};

NATIVEGRAD_HOST_DEVICE inline PhiloxBlock philox(uint64_t seed, uint64_t counter, uint32_t model) {
    uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = model,
             c3 = 0;
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
        const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0,
                       n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
        c1 = static_cast<uint32_t>(p1);
        c3 = static_cast<uint32_t>(p0);
        c0 = n0;
        c2 = n2;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// [0, 1) with 24 bits
NATIVEGRAD_HOST_DEVICE inline float uniform_float(uint32_t bits) {
    return static_cast<float>(bits >> 8) * 5.9604644775390625e-8f;
}

// [0, 1) with 53 bits
NATIVEGRAD_HOST_DEVICE inline double uniform_double(uint32_t high, uint32_t low) {
    const uint64_t bits = ((uint64_t{high} << 32) | low) >> 11;
    return static_cast<double>(bits) * 1.1102230246251565e-16;
}

// Natural logarithm of x in (0, 1]: exponent and atanh series of the mantissa, within 1e-15 of the true
// value.
NATIVEGRAD_HOST_DEVICE inline double portable_log(double x) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    int exponent = static_cast<int>((bits >> 52) & 0x7ff) - 1023;
    bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
    double m;
    std::memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    const double t = (m - 1.0) / (m + 1.0), t2 = t * t;
    double series = 0.0;
    for (int k = 21; k >= 1; k -= 2) series = series * t2 + 1.0 / k;
    return 2.0 * t * series + exponent * 0.6931471805599453;
}

struct SinCos {
    double sin, cos;
};

// sin and cos of 2 pi u for u in [0, 1): reduction to an eighth of a turn, then Taylor series.
NATIVEGRAD_HOST_DEVICE inline SinCos portable_sincos_turns(double u) {
    const double eighths = u * 8.0;
    const int octant = static_cast<int>(eighths);
    const bool odd = (octant & 1) != 0;
    const double part = odd ? octant + 1 - eighths : eighths - octant;
    const double x = part * 0.7853981633974483, x2 = x * x;
    double s = 0.0, c = 0.0;
    for (int k = 17; k >= 3; k -= 2) s = (s + 1.0) * (-x2 / (k * (k - 1)));
    for (int k = 18; k >= 2; k -= 2) c = (c + 1.0) * (-x2 / (k * (k - 1)));
    s = (s + 1.0) * x;
    c = c + 1.0;
    // Quadrant of the nearest multiple of a quarter turn below or above.
    const int quarter = (octant + (odd ? 1 : 0)) / 2 % 4;
    const double sine = odd ? -s : s;
    switch (quarter) {
        case 0:
            return {sine, c};
        case 1:
            return {c, -sine};
        case 2:
            return {-sine, -c};
        default:
            return {-c, sine};
    }
}

struct NormalPair {
    double first, second;
};

// Box and Muller (1958), from two pairs of words.
NATIVEGRAD_HOST_DEVICE inline NormalPair normal_pair(const PhiloxBlock& block) {
    // u in (0, 1], so the logarithm is finite.
    const double u = 1.0 - uniform_double(block.values[0], block.values[1]);
    const double radius_squared = -2.0 * portable_log(u);
    const SinCos angle = portable_sincos_turns(uniform_double(block.values[2], block.values[3]));
    const double radius = ::sqrt(radius_squared);
    return {radius * angle.cos, radius * angle.sin};
}

}  // namespace nativegrad
