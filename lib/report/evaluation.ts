import { calibration } from '../train/calibration.js';
import type { Calibration } from '../train/calibration.js';
import { precisionRecallCurve, rocCurve } from '../train/ranking_metrics.js';
import type { PrecisionRecallCurve, RocCurve } from '../train/ranking_metrics.js';
import type { Score } from '../train/score.js';

/** One class against all others, ranked by its probability. */
export interface ClassRanking {
    readonly className: string;
    readonly roc: RocCurve;
    readonly precisionRecall: PrecisionRecallCurve;
}

/** A wrong prediction, and how sure the model was of it. */
export interface Mistake {
    /** Place in the data set. */
    readonly index: number;
    readonly label: number;
    readonly predicted: number;
    readonly confidence: number;
}

/** What the probabilities of a scored data set say beyond right and wrong. */
export interface Evaluation {
    /** Undefined where probabilities are not numbers from 0 to 1: those of a model that diverged. */
    readonly calibration: Calibration | undefined;
    readonly rankings: readonly ClassRanking[];
    /** Most confident first. */
    readonly mistakes: readonly Mistake[];
}

/** labels [N], predictions [N], probabilities [N, classes] */
export function examine(score: Score, classNames: readonly string[]): Evaluation {
    const { labels, probabilities } = score;
    const classes = classNames.length;
    if (probabilities.some((value) => Number.isNaN(value)))
        return { calibration: undefined, rankings: [], mistakes: mistakesOf(score, classes) };
    const rankings = classNames.map((className, index) => {
        const own = Float64Array.from(labels, (_, row) => probabilities[row * classes + index] ?? NaN);
        const isPositive = Uint8Array.from(labels, (label) => Number(label === index));
        return {
            className,
            roc: rocCurve(own, isPositive),
            precisionRecall: precisionRecallCurve(own, isPositive),
        };
    });
    return {
        calibration: calibration(probabilities, labels, classes),
        rankings,
        mistakes: mistakesOf(score, classes),
    };
}

function mistakesOf({ labels, predictions, probabilities }: Score, classes: number): Mistake[] {
    const found: Mistake[] = [];
    predictions.forEach((predicted, index) => {
        const label = labels[index];
        if (label === undefined || label === predicted) return;
        found.push({
            index,
            label,
            predicted,
            confidence: probabilities[index * classes + predicted] ?? NaN,
        });
    });
    return found.sort((a, b) => b.confidence - a.confidence);
}
