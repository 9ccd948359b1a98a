import { createHash } from 'node:crypto';
import { fromTypedArray, scope } from '../../lib/index.js';

function wave(count: number, frequency: number): Float32Array {
    return Float32Array.from({ length: count }, (_, i) => Math.sin(i * frequency));
}

/** SHA-256 of the results of each round: products, column sums, elementwise ops and a backward pass, all split over threads. */
export function checksums(rounds: number): string[] {
    const x = fromTypedArray(wave(130 * 500, 0.37), [130, 500]);
    return Array.from({ length: rounds }, (_, round) =>
        scope(() => {
            const w = fromTypedArray(wave(500 * 140, 0.11 + round / 100), [500, 140]);
            w.requiresGrad = true;
            const y = x.matmul(w).relu();
            const loss = y.mul(y).sum(0).mean();
            loss.backward();
            const hash = createHash('sha256');
            for (const result of [y, loss, w.grad ?? loss]) hash.update(result.dataSync());
            return hash.digest('hex');
        }),
    );
}
