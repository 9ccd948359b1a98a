// Storage types without arithmetic: IEEE binary16, bfloat16 and the one-byte bool.
#pragma once

#include <cstdint>
#include <cstring>

namespace nativegrad {

struct Float16 {
    uint16_t bits;
};

struct BFloat16 {
    uint16_t bits;
};

struct Bool8 {
    uint8_t value;
};

inline uint32_t float_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float bits_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline float to_float(BFloat16 value) { return bits_float(uint32_t{value.bits} << 16); }

// Round to nearest even; NaN stays a (quiet) NaN.
inline BFloat16 to_bfloat16(float value) {
    const uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x0040u)};
    return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

inline float to_float(Float16 value) {
    const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16;
    const uint32_t exponent = (value.bits >> 10) & 0x1fu;
    const uint32_t mantissa = value.bits & 0x3ffu;
    if (exponent == 0x1f) return bits_float(sign | 0x7f800000u | (mantissa << 13));
    if (exponent != 0) return bits_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
    // Subnormal: mantissa * 2^-24 is exact in float.
    const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
    return bits_float(sign | float_bits(magnitude));
}

// Round to nearest even, overflow to infinity, as vcvtps2ph does.
inline Float16 to_float16(float value) {
    const uint32_t bits = float_bits(value);
    const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return {static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu))};
    }
    if (magnitude >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};
    if (magnitude < 0x38800000u) {
        // Subnormal or zero: adding 0.5 places the last half bit at the end of the mantissa and rounds to
        // even.
        const uint32_t rounded = float_bits(bits_float(magnitude) + 0.5f) - 0x3f000000u;
        return {static_cast<uint16_t>(sign | rounded)};
    }
    const uint32_t rebased = magnitude - 0x38000000u;
    return {static_cast<uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13))};
}

}  // namespace nativegrad
