import assert from 'node:assert/strict';

import { rankingChart } from '../../lib/report/charts.js';
import type { ClassRanking } from '../../lib/report/evaluation.js';
import { precisionRecallCurve, rocCurve } from '../../lib/train/ranking_metrics.js';

/** Classes of which the first ones are ranked worst: so many of their 20 samples stand behind 80 others. */
function rankings(classes: number): ClassRanking[] {
    return Array.from({ length: classes }, (_, c) => {
        const late = Math.max(0, 10 - c);
        const isPositive = Uint8Array.from({ length: 100 }, (_, i) =>
            Number(i < 20 - late || i >= 100 - late),
        );
        const scores = Float64Array.from({ length: 100 }, (_, i) => 1 - i / 100);
        return {
            className: `c${c}`,
            roc: rocCurve(scores, isPositive),
            precisionRecall: precisionRecallCurve(scores, isPositive),
        };
    });
}

describe('the charts of a ranking', () => {
    it('show every class of ten', () => {
        const { panels } = rankingChart(rankings(10));
        for (const { series, description } of panels) {
            assert.deepEqual(
                series.map(({ name }) => name),
                Array.from({ length: 10 }, (_, c) => `c${c}`),
            );
            assert.match(description, /^Each class against the others/);
        }
    });

    it('show the mean and the worst classes of a hundred', () => {
        const all = rankings(100);
        const { panels } = rankingChart(all);
        for (const { series, description } of panels) {
            const names = ['mean of the classes', 'c0', 'c1', 'c2', 'c3', 'c4'];
            assert.deepEqual(
                series.map(({ name }) => name),
                names,
            );
            assert.match(description, /^The mean of 100 classes, and the 5 worst ones, each .*\(c0\)\.$/);
        }
        // The area below the mean is the mean of the areas.
        const { x = [], values } = panels[0].series[0];
        const area = values
            .slice(1)
            .reduce<number>((sum, value, i) => sum + ((x[i + 1] - x[i]) * (value + values[i])) / 2, 0);
        const expected = all.reduce((sum, { roc }) => sum + roc.area / all.length, 0);
        assert.ok(Math.abs(area - expected) < 5e-3, `${area}, expected ${expected}`);
    });
});
