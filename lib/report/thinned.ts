const STEP = 1 / 400;

/**
 * The points of a curve in the unit square without those that no eye could tell from their neighbours: a point is kept where
 * it lies further than a 400th from the last one kept, with the one before it, so that corners stay corners.
 */
export function thinned(x: ArrayLike<number>, y: ArrayLike<number>): { x: number[]; y: number[] } {
    const kept: { x: number[]; y: number[] } = { x: [], y: [] };
    let last = -1;
    const keep = (index: number): void => {
        if (index <= last) return;
        kept.x.push(x[index]);
        kept.y.push(y[index]);
        last = index;
    };
    for (let i = 0; i < x.length; i++) {
        const isFar = last < 0 || Math.abs(x[i] - x[last]) > STEP || Math.abs(y[i] - y[last]) > STEP;
        if (!isFar && i < x.length - 1) continue;
        if (i > 0) keep(i - 1);
        keep(i);
    }
    return kept;
}
