/** Error function: Taylor series near 0, Lentz's continued fraction of erfc elsewhere (Abramowitz and Stegun 7.1.5, 7.1.14). */
export function erf(x: number): number {
    if (Number.isNaN(x)) return NaN;
    const magnitude = Math.abs(x);
    if (magnitude > 6) return Math.sign(x);
    if (magnitude < 2.5) {
        let [term, sum] = [x, x];
        for (let n = 1; Math.abs(term) > 1e-18; n++) {
            term *= (-x * x) / n;
            sum += term / (2 * n + 1);
            if (n > 200) break;
        }
        return (2 / Math.sqrt(Math.PI)) * sum;
    }
    let fraction = 0;
    for (let n = 120; n >= 1; n--) fraction = n / 2 / (magnitude + fraction);
    return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (magnitude + fraction));
}

/** The nearest integer, halves to the even one. */
export function roundHalfToEven(x: number): number {
    if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
    const floor = Math.floor(x);
    const fraction = x - floor;
    if (fraction !== 0.5) return fraction < 0.5 ? floor : floor + 1;
    return floor % 2 === 0 ? floor : floor + 1;
}
