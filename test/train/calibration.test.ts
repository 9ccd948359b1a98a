import assert from 'node:assert/strict';

import { calibration } from '../../lib/train/calibration.js';

describe('calibration', () => {
    it('compares confidence and accuracy in each bin', () => {
        // Confidences 0.6, 0.65 (one of two right), 0.95 (right), all of three classes.
        const probabilities = [0.6, 0.3, 0.1, 0.2, 0.65, 0.15, 0.02, 0.03, 0.95];
        const { bins, expectedError, maximumError } = calibration(probabilities, [0, 2, 2], 3, { bins: 5 });
        assert.deepEqual(
            bins.map(({ count }) => count),
            [0, 0, 1, 1, 1],
        );
        assert.ok(Number.isNaN(bins[0].accuracy));
        assert.ok(Math.abs(expectedError - (0.4 + 0.65 + 0.05) / 3) < 1e-12);
        assert.ok(Math.abs(maximumError - 0.65) < 1e-12);
    });

    it('puts a probability that ends a bin into it, 0 into the first and 1 into the last', () => {
        const { bins } = calibration([0.5, 0, 1], [0, 0, 0], 1, { bins: 2 });
        assert.deepEqual(
            bins.map(({ low, high, count }) => [low, high, count]),
            [
                [0, 0.5, 2],
                [0.5, 1, 1],
            ],
        );
    });

    it('weighs bins by their samples', () => {
        // Three at 0.9, of which two are right, and one at 0.6, which is wrong.
        const { expectedError } = calibration([0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.6, 0.4], [0, 0, 1, 1], 2, {
            bins: 5,
        });
        assert.ok(Math.abs(expectedError - (3 * (0.9 - 2 / 3) + 0.6) / 4) < 1e-12, String(expectedError));
    });

    it('has no error without samples, and none where confidence is accuracy', () => {
        assert.ok(Number.isNaN(calibration([], [], 2).expectedError));
        assert.ok(Number.isNaN(calibration([], [], 2).maximumError));
        assert.equal(calibration([1, 0, 0, 1], [0, 1], 2).expectedError, 0);
    });

    it('refuses logits, NaN, other labels and no bins', () => {
        assert.throws(
            () => calibration([3, -1], [0], 2),
            /probability 3 of sample 0 is not from 0 to 1; .*softmax/,
        );
        assert.throws(() => calibration([NaN, NaN], [0], 2), /probability NaN/);
        assert.throws(
            () => calibration([1, 0], [2], 2),
            /label 2 at position 0 is not an integer from 0 to 1/,
        );
        assert.throws(() => calibration([1, 0], [0], 2, { bins: 0 }), /bins must be a positive integer/);
        assert.throws(() => calibration([1, 0], [0, 1], 2), /differ in length: 2 and 1/);
    });
});
