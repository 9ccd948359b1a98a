import assert from 'node:assert/strict';

import { profileText } from '../../scripts/bench/gpu_profile.js';

describe('the profile of bench:gpu', () => {
    it('sets the bytes of each call beside what a copy reaches', () => {
        const calls = [
            {
                op: 'matmul',
                shapes: '[2, 2], [2, 2] -> [2, 2]',
                bytes: 3e6,
                once: false,
                milliseconds: 0.003,
            },
            { op: 'softmax', shapes: '[2, 2] -> [2, 2]', bytes: 1e6, once: false, milliseconds: 0.001 },
        ];
        assert.deepEqual(profileText(calls, 2e12).split('\n'), [
            '        us      GB/s   of copy  call',
            '      3.00    1000.0    50.0 %  matmul [2, 2], [2, 2] -> [2, 2]',
            '      1.00    1000.0    50.0 %  softmax [2, 2] -> [2, 2]',
            '      4.00    1000.0    50.0 %  all 2 calls, one by one',
        ]);
    });
});
