import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { argmaxRows } from './metrics.js';

/** How many of the rows have the highest output at their class, as `EpochTotals` counts, in a 0-d tensor made by ops. */
export function countCorrect(outputs: Tensor, targets: Tensor): Tensor | undefined {
    if (!hasLabels(targets, outputs)) return undefined;
    const labels = targets.rank === 1 ? targets : targets.argmax(1);
    return outputs.argmax(1).eq(labels).sum();
}

function hasLabels(targets: Tensor, outputs: Tensor): boolean {
    if (outputs.rank !== 2 || targets.shape[0] !== outputs.shape[0]) return false;
    if (targets.rank === 1) return !isFloat(targets.dtype);
    return targets.rank === 2 && targets.shape[1] === outputs.shape[1] && (outputs.shape[1] ?? 0) > 1;
}

/** Class labels of targets: integers [N], or the largest entry of one-hot rows [N, C]. Undefined for anything else. */
export function labelsOf(targets: Tensor, outputs: Tensor): ArrayLike<number> | undefined {
    if (!hasLabels(targets, outputs)) return undefined;
    const values = Array.from(targets.dataSync(), Number);
    return targets.rank === 1 ? values : argmaxRows(values, targets.shape[1] ?? 1);
}

function correctRows(outputs: Tensor, labels: ArrayLike<number>): number {
    const predictions = argmaxRows(outputs.dataSync() as Float32Array, outputs.shape[1] ?? 1);
    return predictions.reduce((count, prediction, i) => count + (prediction === labels[i] ? 1 : 0), 0);
}

/** The sums so far. */
export interface TotalsState {
    readonly lossSum: number;
    readonly correct: number;
    readonly labelled: number;
    readonly samples: number;
}

/** Sums over the batches of an epoch. */
export class EpochTotals {
    private lossSum = 0;
    private correct = 0;
    private labelled = 0;
    samples = 0;

    /** `leavesOut`: steps whose loss is no number changed nothing and do not count. */
    constructor(private readonly leavesOut = false) {}

    get state(): TotalsState {
        const { lossSum, correct, labelled, samples } = this;
        return { lossSum, correct, labelled, samples };
    }

    set state({ lossSum, correct, labelled, samples }: TotalsState) {
        Object.assign(this, { lossSum, correct, labelled, samples });
    }

    add(loss: number, outputs: Tensor, targets: Tensor): void {
        if (this.leavesOut && !Number.isFinite(loss)) return;
        const labels = labelsOf(targets, outputs);
        this.addCounts(loss, outputs.shape[0] ?? 1, labels && correctRows(outputs, labels));
    }

    /** A step of `count` samples, `correct` of them right. */
    addCounts(loss: number, count: number, correct: number | undefined): void {
        if (this.leavesOut && !Number.isFinite(loss)) return;
        this.samples += count;
        this.lossSum += loss * count;
        if (correct === undefined) return;
        this.correct += correct;
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
