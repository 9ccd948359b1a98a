import { requireClass, requireCount, requireRows, requireSameLength } from './metric_checks.js';

/** How per-class figures become one: plain mean, from pooled counts, or mean weighted by the true counts. */
export type Averaging = 'macro' | 'micro' | 'weighted';

export interface ClassScores {
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
    /** How many samples truly belong to the class. */
    readonly support: number;
}

export interface AverageScores {
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
}

export interface ClassificationReport {
    readonly accuracy: number;
    readonly perClass: readonly ClassScores[];
    readonly macro: AverageScores;
    readonly micro: AverageScores;
    readonly weighted: AverageScores;
    /** Rows are true classes, columns predicted ones. */
    readonly confusion: readonly (readonly number[])[];
}

/**
 * Counts predictions by true and predicted class.
 * labels [N], predictions [N] -> counts [classes, classes], rows true, columns predicted
 *
 * @throws {RangeError} where the lengths differ or a label is no integer from 0 to classes - 1.
 * @example
 * ```ts
 * import { train } from 'nativegrad';
 * console.log(train.confusionMatrix([0, 1, 1], [0, 1, 0], 2)); // [ [ 1, 0 ], [ 1, 1 ] ]
 * ```
 */
export function confusionMatrix(
    labels: ArrayLike<number>,
    predictions: ArrayLike<number>,
    classes: number,
): number[][] {
    requireCount('confusionMatrix', 'classes', classes);
    requireSameLength('confusionMatrix', labels.length, predictions.length);
    const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
    for (let i = 0; i < labels.length; i++) {
        const label = requireClass('confusionMatrix', 'label', labels[i], i, classes);
        const prediction = requireClass('confusionMatrix', 'prediction', predictions[i], i, classes);
        counts[label][prediction]++;
    }
    return counts;
}

/**
 * The fraction of equal pairs; NaN for none, as a mean over nothing.
 * labels [N], predictions [N] -> a number
 */
export function accuracyScore(labels: ArrayLike<number>, predictions: ArrayLike<number>): number {
    requireSameLength('accuracyScore', labels.length, predictions.length);
    let equal = 0;
    for (let i = 0; i < labels.length; i++) if (labels[i] === predictions[i]) equal++;
    return equal / labels.length;
}

/**
 * Precision, recall and F1 of every class of a confusion matrix. A ratio with nothing below the line is 0, as in
 * scikit-learn's `zero_division=0`: precision of a class never predicted, recall of a class that never occurs.
 * counts [C, C] -> C rows
 */
export function classScores(counts: readonly (readonly number[])[]): ClassScores[] {
    return counts.map((row, index) => {
        const hits = row[index];
        const support = sum(row);
        const predicted = sum(counts.map((other) => other[index]));
        return {
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            f1: ratio(2 * hits, predicted + support),
            support,
        };
    });
}

/**
 * One figure each from the classes' figures. As scikit-learn does with the labels it finds, `macro` counts only classes
 * that occur or were predicted; for data that has every class this is the plain mean.
 * counts [C, C] -> precision, recall, F1
 */
export function averageScores(counts: readonly (readonly number[])[], averaging: Averaging): AverageScores {
    if (averaging === 'micro') {
        // Each sample has one label and one prediction, so the pooled precision, recall and F1 are the accuracy.
        const accuracy = ratio(sum(counts.map((row, i) => row[i])), sum(counts.map(sum)));
        return { precision: accuracy, recall: accuracy, f1: accuracy };
    }
    const scores = classScores(counts);
    const weights = scores.map(({ support }, index) => {
        const occurs = support > 0 || counts.some((row) => row[index] > 0);
        return averaging === 'weighted' ? support : Number(occurs);
    });
    const total = sum(weights);
    const mean = (values: number[]): number =>
        ratio(sum(values.map((value, i) => value * weights[i])), total);
    return {
        precision: mean(scores.map(({ precision }) => precision)),
        recall: mean(scores.map(({ recall }) => recall)),
        f1: mean(scores.map(({ f1 }) => f1)),
    };
}

/**
 * Everything above at once.
 * labels [N], predictions [N] -> report
 *
 * @example
 * ```ts
 * import { train } from 'nativegrad';
 * const report = train.classificationReport([0, 1, 1], [0, 1, 0], 2);
 * console.log(report.perClass[1]?.recall); // 0.5
 * ```
 */
export function classificationReport(
    labels: ArrayLike<number>,
    predictions: ArrayLike<number>,
    classes: number,
): ClassificationReport {
    const confusion = confusionMatrix(labels, predictions, classes);
    return {
        accuracy: accuracyScore(labels, predictions),
        perClass: classScores(confusion),
        macro: averageScores(confusion, 'macro'),
        micro: averageScores(confusion, 'micro'),
        weighted: averageScores(confusion, 'weighted'),
        confusion,
    };
}

/**
 * The index of the largest score of each row; the first of equal ones, a NaN before all (PyTorch's argmax).
 * scores [N, classes] -> [N]
 */
export function argmaxRows(scores: ArrayLike<number>, classes: number): Int32Array {
    const rows = requireRows('argmaxRows', scores.length, classes);
    const result = new Int32Array(rows);
    for (let row = 0; row < rows; row++) {
        let best = 0;
        for (let c = 1; c < classes; c++) {
            if (isAbove(scores[row * classes + c], scores[row * classes + best])) best = c;
        }
        result[row] = best;
    }
    return result;
}

/**
 * The fraction of rows whose true class is among the k best scores. Of equal scores the lower class counts as better, so
 * that k = 1 is the accuracy of {@link argmaxRows}.
 * scores [N, classes], labels [N] -> a number, NaN for no rows
 *
 * @throws {RangeError} where the sizes do not fit or k is not from 1 to classes.
 */
export function topKAccuracy(
    scores: ArrayLike<number>,
    labels: ArrayLike<number>,
    classes: number,
    k: number,
): number {
    const rows = requireRows('topKAccuracy', scores.length, classes);
    requireSameLength('topKAccuracy', labels.length, rows);
    requireCount('topKAccuracy', 'k', k);
    if (k > classes)
        throw new RangeError(`[topKAccuracy] k must be at most the ${classes} classes, got ${k}`);
    let hits = 0;
    for (let row = 0; row < rows; row++) {
        const label = requireClass('topKAccuracy', 'label', labels[row], row, classes);
        const own = scores[row * classes + label];
        let better = 0;
        for (let c = 0; c < classes; c++) {
            const other = scores[row * classes + c];
            if (c < label ? !isAbove(own, other) : isAbove(other, own)) better++;
        }
        if (better < k) hits++;
    }
    return hits / rows;
}

function isAbove(a: number, b: number): boolean {
    return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}

function ratio(above: number, below: number): number {
    return below === 0 ? 0 : above / below;
}

function sum(values: readonly number[]): number {
    return values.reduce((total, value) => total + value, 0);
}
