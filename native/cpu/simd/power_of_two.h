// Included inside an instruction-set namespace after F32, where the instruction set has no such instruction.

// x 2^n for integer-valued n in [-252, 254] or NaN, in two factors so that results may be subnormal; NaN
// where x is.
inline F32 scale_by_power_of_two(F32 x, F32 n) {
    const I32 whole = to_int(select(is_nan(n), F32(0.0), n));
    const I32 half = shift_right<1>(whole);
    const F32 first = from_bits(shift_left<23>(half + int_constant(127)));
    const F32 second = from_bits(shift_left<23>(whole - half + int_constant(127)));
    return x * first * second;
}

// The same where `mask` is set, else 0.
inline F32 scale_by_power_of_two(F32 x, F32 n, Mask mask) {
    return select(mask, scale_by_power_of_two(x, n), F32(0.0));
}
