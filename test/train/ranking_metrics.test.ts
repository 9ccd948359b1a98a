import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { precisionRecallCurve, rocCurve } from '../../lib/train/ranking_metrics.js';

interface GoldenRanking {
    scores: number[];
    positive: number[];
    thresholds: number[];
    falsePositiveRate: number[];
    truePositiveRate: number[];
    area: number;
    precision: number[];
    recall: number[];
    averagePrecision: number;
}

const { rankings } = JSON.parse(readFileSync(new URL('../golden/metrics.json', import.meta.url), 'utf8')) as {
    rankings: GoldenRanking[];
};

function assertClose(actual: ArrayLike<number>, expected: readonly number[], what: string): void {
    assert.equal(actual.length, expected.length, what);
    expected.forEach((value, i) => assert.ok(Math.abs(actual[i] - value) < 1e-12, `${what}[${i}]`));
}

describe('curves of rankings', () => {
    rankings.forEach((expected, index) => {
        it(`are scikit-learn's, case ${index}: ${expected.scores.length} samples`, () => {
            const roc = rocCurve(expected.scores, expected.positive);
            assert.equal(roc.thresholds[0], Infinity);
            assertClose(roc.thresholds.subarray(1), expected.thresholds, 'thresholds');
            assertClose(roc.falsePositiveRate, expected.falsePositiveRate, 'falsePositiveRate');
            assertClose(roc.truePositiveRate, expected.truePositiveRate, 'truePositiveRate');
            assertClose([roc.area], [expected.area], 'area');
            const curve = precisionRecallCurve(expected.scores, expected.positive);
            // scikit-learn leaves out thresholds below the one that finds the last positive.
            const kept = expected.precision.length;
            assertClose(curve.precision.subarray(0, kept), expected.precision, 'precision');
            assertClose(curve.recall.subarray(0, kept), expected.recall, 'recall');
            assertClose([curve.averagePrecision], [expected.averagePrecision], 'averagePrecision');
        });
    });

    it('have no area where a class is missing', () => {
        assert.ok(Number.isNaN(rocCurve([0.1, 0.9], [1, 1]).area));
        assert.ok(Number.isNaN(rocCurve([0.1, 0.9], [0, 0]).area));
        assert.ok(Number.isNaN(precisionRecallCurve([0.1, 0.9], [false, false]).averagePrecision));
        assert.ok(Number.isNaN(rocCurve([], []).area));
    });

    it('are refused for scores without an order and for other lengths', () => {
        assert.throws(() => rocCurve([NaN], [1]), /\[rocCurve\] score 0 is NaN/);
        assert.throws(
            () => precisionRecallCurve([0.5], []),
            /scores and isPositive differ in length: 1 and 0/,
        );
    });
});
