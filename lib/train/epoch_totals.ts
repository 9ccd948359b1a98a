import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { argmaxRows } from './metrics.js';

/** Class labels of targets: integers [N], or the largest entry of one-hot rows [N, C]. Undefined for anything else. */
export function labelsOf(targets: Tensor, outputs: Tensor): ArrayLike<number> | undefined {
    if (outputs.rank !== 2) return undefined;
    if (targets.rank === 1 && !isFloat(targets.dtype)) return Array.from(targets.dataSync(), Number);
    const sameRows =
        targets.rank === 2 && targets.shape[1] === outputs.shape[1] && (outputs.shape[1] ?? 0) > 1;
    return sameRows ? argmaxRows(Array.from(targets.dataSync(), Number), targets.shape[1] ?? 1) : undefined;
}

/** Sums over the batches of an epoch. */
export class EpochTotals {
    private lossSum = 0;
    private correct = 0;
    private labelled = 0;
    samples = 0;

    add(loss: number, outputs: Tensor, targets: Tensor): void {
        const count = outputs.shape[0] ?? 1;
        this.samples += count;
        this.lossSum += loss * count;
        const labels = labelsOf(targets, outputs);
        if (!labels) return;
        const predictions = argmaxRows(outputs.dataSync() as Float32Array, outputs.shape[1] ?? 1);
        for (let i = 0; i < count; i++) if (predictions[i] === labels[i]) this.correct++;
        this.labelled += count;
    }

    /** Mean per sample; NaN before the first batch. */
    get loss(): number {
        return this.lossSum / this.samples;
    }

    get accuracy(): number | undefined {
        return this.labelled > 0 ? this.correct / this.labelled : undefined;
    }
}
