import { requireSameLength } from './metric_checks.js';

/** How many true and false positives each threshold lets in, from the highest score down. */
interface Counts {
    readonly thresholds: Float64Array;
    readonly truePositives: Float64Array;
    readonly falsePositives: Float64Array;
    readonly positives: number;
    readonly negatives: number;
}

export interface RocCurve {
    /** From Infinity (nothing is called positive) down over every distinct score; a score from the threshold on is positive. */
    readonly thresholds: Float64Array;
    /** Share of the negatives that are called positive; NaN where there are none. */
    readonly falsePositiveRate: Float64Array;
    /** Share of the positives that are called positive (recall); NaN where there are none. */
    readonly truePositiveRate: Float64Array;
    /** Area under the curve by the trapezoidal rule: the chance that a positive scores above a negative, ties half. */
    readonly area: number;
}

export interface PrecisionRecallCurve {
    /** Every distinct score, from the highest down. */
    readonly thresholds: Float64Array;
    readonly precision: Float64Array;
    /** NaN where there are no positives. */
    readonly recall: Float64Array;
    /** Mean of the precisions weighted by the gain in recall: sum over i of (R_i - R_{i-1}) P_i. */
    readonly averagePrecision: number;
}

/**
 * The receiver operating characteristic of scores that should be high for positives.
 * scores [N], isPositive [N] (0 or not) -> T + 1 points for T distinct scores, the first of them at (0, 0)
 *
 * The points and the area are those of scikit-learn's `roc_curve(drop_intermediate=False)` and `roc_auc_score`
 * (Fawcett, An introduction to ROC analysis, 2006).
 *
 * @throws {RangeError} where the lengths differ or a score is NaN.
 * @example
 * ```ts
 * import { train } from 'nativegrad';
 * console.log(train.rocCurve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).area); // 0.75
 * ```
 */
export function rocCurve(scores: ArrayLike<number>, isPositive: ArrayLike<number | boolean>): RocCurve {
    const counts = countByThreshold('rocCurve', scores, isPositive);
    const withOrigin = (values: Float64Array, total: number): Float64Array =>
        startingWith(
            total === 0 ? NaN : 0,
            values.map((value) => value / total),
        );
    const falsePositiveRate = withOrigin(counts.falsePositives, counts.negatives);
    const truePositiveRate = withOrigin(counts.truePositives, counts.positives);
    let area = 0;
    for (let i = 1; i < falsePositiveRate.length; i++) {
        const width = falsePositiveRate[i] - falsePositiveRate[i - 1];
        area += (width * (truePositiveRate[i] + truePositiveRate[i - 1])) / 2;
    }
    const isKnown = counts.negatives > 0 && counts.positives > 0;
    return {
        thresholds: startingWith(Infinity, counts.thresholds),
        falsePositiveRate,
        truePositiveRate,
        area: isKnown ? area : NaN,
    };
}

/**
 * Precision over recall of scores that should be high for positives.
 * scores [N], isPositive [N] (0 or not) -> T points for T distinct scores
 *
 * The points are those of scikit-learn's `precision_recall_curve`, in the order of falling thresholds and without its last
 * point (precision 1 at recall 0), the average its `average_precision_score`; without positives that gives 0, this NaN.
 *
 * @throws {RangeError} where the lengths differ or a score is NaN.
 * @example
 * ```ts
 * import { train } from 'nativegrad';
 * const curve = train.precisionRecallCurve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]);
 * console.log(curve.averagePrecision.toFixed(4)); // 0.8333
 * ```
 */
export function precisionRecallCurve(
    scores: ArrayLike<number>,
    isPositive: ArrayLike<number | boolean>,
): PrecisionRecallCurve {
    const counts = countByThreshold('precisionRecallCurve', scores, isPositive);
    const { truePositives, falsePositives, positives, thresholds } = counts;
    const precision = truePositives.map((hits, i) => hits / (hits + falsePositives[i]));
    const recall = truePositives.map((hits) => hits / positives);
    const averagePrecision = precision.reduce(
        (sum, value, i) => sum + value * (recall[i] - (i === 0 ? 0 : recall[i - 1])),
        0,
    );
    return { thresholds, precision, recall, averagePrecision: positives === 0 ? NaN : averagePrecision };
}

function startingWith(first: number, values: Float64Array): Float64Array {
    const result = new Float64Array(values.length + 1);
    result[0] = first;
    result.set(values, 1);
    return result;
}

function countByThreshold(
    name: string,
    scores: ArrayLike<number>,
    isPositive: ArrayLike<number | boolean>,
): Counts {
    requireSameLength(name, scores.length, isPositive.length, 'scores and isPositive');
    const order = Uint32Array.from(scores, (score, index) => {
        if (Number.isNaN(score)) throw new RangeError(`[${name}] score ${index} is NaN, which has no order`);
        return index;
    }).sort((a, b) => scores[b] - scores[a]);
    const thresholds: number[] = [];
    const truePositives: number[] = [];
    const falsePositives: number[] = [];
    let [hits, mistakes] = [0, 0];
    order.forEach((index, place) => {
        if (isPositive[index]) hits++;
        else mistakes++;
        const isLastOfItsScore = place + 1 === order.length || scores[order[place + 1]] !== scores[index];
        if (!isLastOfItsScore) return;
        thresholds.push(scores[index]);
        truePositives.push(hits);
        falsePositives.push(mistakes);
    });
    return {
        thresholds: Float64Array.from(thresholds),
        truePositives: Float64Array.from(truePositives),
        falsePositives: Float64Array.from(falsePositives),
        positives: hits,
        negatives: mistakes,
    };
}
