import assert from 'node:assert/strict';

import { countingLoss, encode, projectText } from '../../examples/modules/project_text.js';

describe('the text of the examples', () => {
    it('is cut into parts that have no paragraph in common', () => {
        const { training, heldOut } = projectText();
        assert.ok(training.length > 40_000 && heldOut.length > 3_000);
        const long = heldOut.split('\n\n').filter((paragraph) => paragraph.length > 60);
        assert.ok(long.length > 5);
        for (const paragraph of long) assert.equal(training.includes(paragraph), false, paragraph);
    });

    it('leaves characters out that its alphabet lacks', () => {
        assert.deepEqual(encode('abxa', ['a', 'b']), [0, 1, 0]);
    });

    it('is judged by counts of single characters and pairs', () => {
        const near = (found: number, expected: number): void =>
            assert.ok(Math.abs(found - expected) < 1e-12, `${found}, expected ${expected}`);
        const training = [0, 1, 0, 1, 0, 0];
        // 4 zeros and 2 ones.
        near(countingLoss(training, [0, 1], 2, 0), -(Math.log(4.1 / 6.2) + Math.log(2.1 / 6.2)) / 2);
        // After a 0: a 1 twice, a 0 once; after a 1: a 0 twice.
        near(
            countingLoss(training, [0, 1, 0, 0], 2, 1),
            -(Math.log(2.1 / 3.2) + Math.log(2.1 / 2.2) + Math.log(1.1 / 3.2)) / 3,
        );
    });
});
