/** Rounds to a float with `digits` bits of mantissa (the hidden one included), halves to even, subnormal below 2^least. */
function roundFloat(x: number, digits: number, least: number, largest: number): number {
    if (!Number.isFinite(x) || x === 0) return x;
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), least);
    const unit = 2 ** (exponent - digits + 1);
    const scaled = x / unit;
    const floor = Math.floor(scaled);
    const fraction = scaled - floor;
    const up = fraction > 0.5 || (fraction === 0.5 && floor % 2 !== 0);
    const result = (up ? floor + 1 : floor) * unit;
    return Math.abs(result) > largest ? Math.sign(x) * Infinity : result;
}

/** The nearest IEEE binary16 number, by way of float32 as all conversions go. */
export const toHalf = (x: number): number => roundFloat(Math.fround(x), 11, -14, 65504);

/** The nearest bfloat16 number, by way of float32. */
export const toBfloat = (x: number): number => roundFloat(Math.fround(x), 8, -126, 3.3895313892515355e38);
