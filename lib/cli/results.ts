import type { Score } from '../train/score.js';

/** The digits; other data of MNIST's shape keeps these numbers. */
export const CLASS_NAMES: readonly string[] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** Per-class figures and averages as the JSON output names them. */
export interface EvaluationResult {
    readonly test_accuracy: number;
    readonly test_loss: number;
    readonly per_class: readonly {
        readonly class: string;
        readonly precision: number;
        readonly recall: number;
        readonly f1: number;
        readonly support: number;
    }[];
    readonly macro_f1: number;
    readonly weighted_f1: number;
    readonly confusion_matrix: readonly (readonly number[])[];
}

export function evaluationResult(score: Score, classNames: readonly string[]): EvaluationResult {
    const { accuracy, perClass, macro, weighted, confusion } = score.report;
    return {
        test_accuracy: accuracy,
        test_loss: score.loss,
        per_class: perClass.map(({ precision, recall, f1, support }, index) => {
            return { class: classNames[index], precision, recall, f1, support };
        }),
        macro_f1: macro.f1,
        weighted_f1: weighted.f1,
        confusion_matrix: confusion,
    };
}

/** The per-class figures as a table for people. */
export function evaluationTable(result: EvaluationResult): string {
    const head = 'class       precision  recall      f1  samples\n';
    const rows = result.per_class.map(({ class: name, precision, recall, f1, support }) => {
        const figures = [
            precision.toFixed(4).padStart(9),
            recall.toFixed(4).padStart(7),
            f1.toFixed(4).padStart(7),
        ];
        return `${name.padEnd(12)}${figures.join(' ')} ${String(support).padStart(8)}\n`;
    });
    const accuracy = (100 * result.test_accuracy).toFixed(2);
    return `${head}${rows.join('')}\ntest accuracy ${accuracy} %, test loss ${result.test_loss.toFixed(5)}\n`;
}
