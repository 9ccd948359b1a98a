import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import {
    accuracyScore,
    argmaxRows,
    averageScores,
    classificationReport,
    confusionMatrix,
    topKAccuracy,
} from '../../lib/train/metrics.js';
import type { AverageScores, ClassScores } from '../../lib/train/metrics.js';

interface GoldenCase {
    classes: number;
    labels: number[];
    predictions: number[];
    scores: number[];
    accuracy: number;
    confusion: number[][];
    perClass: ClassScores[];
    macro: AverageScores;
    micro: AverageScores;
    weighted: AverageScores;
    topK: Record<string, number>;
}

const { cases } = JSON.parse(readFileSync(new URL('../golden/metrics.json', import.meta.url), 'utf8')) as {
    cases: GoldenCase[];
};

function assertScores(actual: object, expected: object): void {
    assert.deepEqual(Object.keys(actual), Object.keys(expected));
    for (const [key, value] of Object.entries(expected)) {
        const got: unknown = Reflect.get(actual, key);
        assert.ok(typeof got === 'number' && typeof value === 'number');
        assert.ok(Math.abs(got - value) < 1e-12, `${key}: ${got}, expected ${value}`);
    }
}

describe('metrics', () => {
    cases.forEach((expected, index) => {
        it(`agree with scikit-learn, case ${index}: ${expected.classes} classes`, () => {
            const report = classificationReport(expected.labels, expected.predictions, expected.classes);
            assert.equal(report.accuracy, expected.accuracy);
            assert.deepEqual(report.confusion, expected.confusion);
            report.perClass.forEach((scores, c) => assertScores(scores, expected.perClass[c]));
            assertScores(report.macro, expected.macro);
            assertScores(report.micro, expected.micro);
            assertScores(report.weighted, expected.weighted);
            for (const [k, value] of Object.entries(expected.topK)) {
                const got = topKAccuracy(expected.scores, expected.labels, expected.classes, Number(k));
                assert.ok(Math.abs(got - value) < 1e-12);
            }
        });
    });

    it('covers classes that never occur or are never predicted', () => {
        assert.ok(cases.some(({ perClass }) => perClass.some(({ support }) => support === 0)));
        assert.ok(cases.some(({ perClass }) => perClass.some((c) => c.support > 0 && c.precision === 0)));
    });

    it('take the first of equal scores and NaN before all', () => {
        assert.deepEqual([...argmaxRows([1, 3, 3, 0, NaN, 9, NaN, NaN, -Infinity], 3)], [1, 1, 0]);
        const scores = [1, 1, 1];
        assert.equal(topKAccuracy(scores, [0], 3, 1), 1);
        assert.equal(topKAccuracy(scores, [1], 3, 1), 0);
        assert.equal(topKAccuracy(scores, [1], 3, 2), 1);
        assert.equal(topKAccuracy(scores, [2], 3, 3), 1);
    });

    it('give top-1 equal to the accuracy of argmax', () => {
        for (const { scores, labels, classes } of cases) {
            assert.equal(
                topKAccuracy(scores, labels, classes, 1),
                accuracyScore(labels, argmaxRows(scores, classes)),
            );
        }
    });

    it('take typed arrays and no samples at all', () => {
        assert.deepEqual(confusionMatrix(Uint8Array.of(0, 1), Int32Array.of(1, 1), 2), [
            [0, 1],
            [0, 1],
        ]);
        assert.ok(Number.isNaN(accuracyScore([], [])));
        assert.deepEqual(averageScores(confusionMatrix([], [], 2), 'macro'), {
            precision: 0,
            recall: 0,
            f1: 0,
        });
    });

    it('name the argument that is wrong', () => {
        assert.throws(
            () => confusionMatrix([0], [0, 1], 2),
            /\[confusionMatrix\] .* differ in length: 1 and 2/,
        );
        assert.throws(
            () => confusionMatrix([0], [2], 2),
            /prediction 2 at position 0 is not an integer from 0 to 1/,
        );
        assert.throws(() => confusionMatrix([0, -1], [0, 0], 2), /label -1 at position 1/);
        assert.throws(() => confusionMatrix([0.5], [0], 2), /label 0.5/);
        assert.throws(() => confusionMatrix([], [], 0), /classes must be a positive integer, got 0/);
        assert.throws(() => argmaxRows([1, 2, 3], 2), /3 scores do not divide into rows of 2/);
        assert.throws(() => topKAccuracy([1, 2], [0], 2, 3), /k must be at most the 2 classes, got 3/);
    });
});
