import { requireClass, requireCount, requireRows, requireSameLength } from './metric_checks.js';
import { argmaxRows } from './metrics.js';

/** The samples whose confidence lies in (low, high]; that of 0 lies in the first bin. */
export interface CalibrationBin {
    readonly low: number;
    readonly high: number;
    readonly count: number;
    /** Mean probability of the predicted class; NaN for an empty bin. */
    readonly confidence: number;
    /** Share of right predictions; NaN for an empty bin. */
    readonly accuracy: number;
}

export interface Calibration {
    readonly bins: readonly CalibrationBin[];
    /** Sum over the bins of count / N * |accuracy - confidence|. */
    readonly expectedError: number;
    /** Largest |accuracy - confidence| of a bin that is not empty. */
    readonly maximumError: number;
}

/**
 * How far a classifier's confidence is from its accuracy, in bins of equal width over the probability of the predicted
 * class (Guo et al., On Calibration of Modern Neural Networks, 2017, equations 2 to 5).
 * probabilities [N, classes], labels [N] -> bins, ECE, MCE; the errors are NaN for no samples
 *
 * @throws {RangeError} where the sizes do not fit, a label is no class, or a probability is not from 0 to 1.
 * @example
 * ```ts
 * import { train } from 'nativegrad';
 * const { expectedError } = train.calibration([0.9, 0.1, 0.2, 0.8], [0, 0], 2, { bins: 10 });
 * console.log(expectedError.toFixed(2)); // 0.45
 * ```
 */
export function calibration(
    probabilities: ArrayLike<number>,
    labels: ArrayLike<number>,
    classes: number,
    { bins = 15 }: { readonly bins?: number } = {},
): Calibration {
    const rows = requireRows('calibration', probabilities.length, classes);
    requireSameLength('calibration', labels.length, rows, 'labels and rows of probabilities');
    requireCount('calibration', 'bins', bins);
    const totals = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, hits: 0 }));
    argmaxRows(probabilities, classes).forEach((predicted, row) => {
        const label = requireClass('calibration', 'label', labels[row], row, classes);
        const confidence = probabilities[row * classes + predicted];
        if (!(confidence >= 0 && confidence <= 1)) {
            throw new RangeError(
                `[calibration] probability ${confidence} of sample ${row} is not from 0 to 1; scores need a softmax first`,
            );
        }
        const bin = totals[Math.max(0, Math.ceil(confidence * bins) - 1)];
        bin.count++;
        bin.confidence += confidence;
        if (label === predicted) bin.hits++;
    });
    const found = totals.map(({ count, confidence, hits }, index) => ({
        low: index / bins,
        high: (index + 1) / bins,
        count,
        confidence: confidence / count,
        accuracy: hits / count,
    }));
    const gaps = found
        .filter(({ count }) => count > 0)
        .map(({ count, accuracy, confidence }) => ({ count, gap: Math.abs(accuracy - confidence) }));
    return {
        bins: found,
        expectedError: rows === 0 ? NaN : gaps.reduce((sum, { count, gap }) => sum + count * gap, 0) / rows,
        maximumError: gaps.reduce((largest, { gap }) => Math.max(largest, gap), rows === 0 ? NaN : 0),
    };
}
