import { scope } from '../autograd/scope.js';
import type { DataLoader } from '../data/data_loader.js';
import type { Layer } from '../nn/module.js';
import type { Tensor } from '../tensor/tensor.js';
import { EvaluationStep } from './evaluation_step.js';
import { requireCount } from './metric_checks.js';
import { argmaxRows, classificationReport } from './metrics.js';
import type { ClassificationReport } from './metrics.js';

/** logits [N, classes], labels [N] -> the mean loss, 0-d */
export type ClassifierLoss = (logits: Tensor, labels: Tensor) => Tensor;

/** What a model makes of a data set. */
export interface Score {
    /** Mean over the samples. */
    readonly loss: number;
    readonly report: ClassificationReport;
    readonly labels: Int32Array;
    readonly predictions: Int32Array;
    /** Softmax of the logits, [N, classes]. */
    readonly probabilities: Float32Array;
}

/**
 * Runs a classifier over a data set in evaluation mode, without gradients; the mode it was in comes back afterwards.
 * Batches of images [n, ...] and labels [n]; the model gives logits [n, classes].
 *
 * @throws {RangeError} where `classes` is no positive integer, or not how many logits a row has.
 */
export async function scoreClassifier(
    model: Layer,
    loader: DataLoader,
    loss: ClassifierLoss,
    classes: number,
): Promise<Score> {
    requireCount('scoreClassifier', 'classes', classes);
    const count = loader.dataset.length;
    const labels = new Int32Array(count);
    const logits = new Float32Array(count * classes);
    let total = 0;
    let done = 0;
    const step = new EvaluationStep({ model, loss }, true);
    const wasTraining = model.training;
    model.eval();
    try {
        for await (const [x, y] of loader) {
            scope(() => {
                const { outputs, loss: mean } = step.run(x, y);
                requireLogits(outputs, y.size, classes);
                total += mean.item() * y.size;
                logits.set(outputs.dataSync() as Float32Array, done * classes);
                labels.set(y.dataSync() as Int32Array, done);
                done += y.size;
            });
            x.dispose();
            y.dispose();
        }
    } finally {
        model.train(wasTraining);
    }
    const predictions = argmaxRows(logits, classes);
    const report = classificationReport(labels, predictions, classes);
    return { loss: total / count, report, labels, predictions, probabilities: softmaxRows(logits, classes) };
}

function requireLogits({ shape }: Tensor, samples: number, classes: number): void {
    if (shape.length === 2 && shape[0] === samples && shape[1] === classes) return;
    throw new RangeError(
        `[scoreClassifier] the model gives logits [${shape.join(', ')}], but classes (the fourth argument) says [${samples}, ${classes}]`,
    );
}

/** scores [N * classes] -> each row divided by its sum of exponentials */
function softmaxRows(scores: Float32Array, classes: number): Float32Array {
    const result = new Float32Array(scores.length);
    for (let start = 0; start < scores.length; start += classes) {
        const row = scores.subarray(start, start + classes);
        const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
        const exponentials = row.map((score) => Math.exp(score - largest));
        const sum = exponentials.reduce((a, b) => a + b, 0);
        result.set(
            exponentials.map((value) => value / sum),
            start,
        );
    }
    return result;
}
