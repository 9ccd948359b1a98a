import assert from 'node:assert/strict';

import { DivergenceWarning } from '../../lib/cli/divergence_warning.js';

describe('divergence warning', () => {
    function warnings(losses: readonly number[], gradientClip?: number): string[] {
        const texts: string[] = [];
        const callback = new DivergenceWarning({ learningRate: 5, gradientClip }, (text) => texts.push(text));
        losses.forEach((loss, i) => callback.onEpochEnd({ epoch: i + 1, loss, learningRate: 5, seconds: 1 }));
        return texts;
    }

    it('names epoch, loss and fix, once', () => {
        assert.deepEqual(warnings([2.3, 20, 1.5e34, 3e36]), [
            'epoch 3: training diverges: the loss is 1.500e+34, where guessing has 2.3026; try a --learning_rate below 5, or --gradient_clip 1',
        ]);
        assert.deepEqual(warnings([NaN], 2), [
            'epoch 1: training diverges: the loss became NaN, which ends the training; try a --learning_rate below 5, or --gradient_clip below 2',
        ]);
    });

    it('is silent about losses that are bad but no divergence', () => {
        assert.deepEqual(warnings([2.3026, 9, 0.01]), []);
    });
});
