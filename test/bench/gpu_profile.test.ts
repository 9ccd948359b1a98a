import assert from 'node:assert/strict';

import { profileText, warmedProfile } from '../../scripts/bench/gpu_profile.js';

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
            '        us        MB      GB/s   of copy  call',
            '      3.00     3.000    1000.0    50.0 %  matmul [2, 2], [2, 2] -> [2, 2]',
            '      1.00     1.000    1000.0    50.0 %  softmax [2, 2] -> [2, 2]',
            '      4.00     4.000    1000.0    50.0 %  all 2 calls, one by one',
        ]);
    });

    it('has a line for calls that repeat, and the rate of the operations', () => {
        const call = { op: 'copy', shapes: '[2] -> [2]', bytes: 2e6, once: false };
        const times = [1, 2, 6].map((us) => ({ ...call, milliseconds: us / 1000 }));
        const other = { ...call, shapes: '[4] -> [4]', milliseconds: 0.001 };
        assert.deepEqual(
            profileText([...times, other, times[0]], 2e12, 11e9)
                .split('\n')
                .slice(1),
            [
                '      3.00     2.000     666.7    33.3 %  3 times copy [2] -> [2]',
                '      1.00     2.000    2000.0   100.0 %  copy [4] -> [4]',
                '      1.00     2.000    2000.0   100.0 %  copy [2] -> [2]',
                '     11.00    10.000     909.1    45.5 %  all 5 calls, one by one, 1000000.0 GFLOP/s',
            ],
        );
    });

    it('is of steps behind the first ones, which are slower', async () => {
        const asked: string[] = [];
        const subject = {
            key: 'nativegrad',
            run: (count: number) => Promise.resolve(asked.push(`run ${count}`)),
            profile: (count: number) => {
                asked.push(`profile ${count}`);
                return [];
            },
        };
        assert.deepEqual(await warmedProfile(subject), []);
        assert.deepEqual(asked, ['run 3', 'profile 20']);
        assert.equal(await warmedProfile({ key: 'nativegrad', run: subject.run }), undefined);
        assert.equal(asked.length, 2, 'what has no profile is not run for one');
    });
});
