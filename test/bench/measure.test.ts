import assert from 'node:assert/strict';

import type { Benchmark } from '../../scripts/bench/benchmark.js';
import { measureRows } from '../../scripts/bench/measure.js';
import { Peers } from '../../scripts/bench/peers.js';

const row = (name: string, ours: Benchmark['ours']): Benchmark => ({
    group: 'group',
    name,
    unit: 's',
    scale: 1,
    flops: null,
    peers: {},
    ours,
});
const ofOneSecond = { key: 'nativegrad', run: (count: number) => Promise.resolve(count) };

describe('rows of the bench', () => {
    it('are measured to the end where one fails, and handed over after each', async () => {
        const rows = [
            row('first', () => ofOneSecond),
            row('wrong', () => Promise.reject(new Error('no memory'))),
            row('last', () => ofOneSecond),
        ];
        const peers = await Peers.start([], { python: '', threads: 1, compile: false, say: () => undefined });
        const seen: string[][] = [];
        const before = process.exitCode;
        try {
            const context = { threads: 1, data: '', staged: null };
            const found = await measureRows(rows, peers, context, {
                rounds: 1,
                peak: null,
                turn: 2,
                isSaved: true,
                onRow: (done) => seen.push(done.map(({ name }) => name)),
            });
            assert.equal(process.exitCode, 1);
            assert.deepEqual(
                found.rows.map(({ name, ours }) => [name, ours.median]),
                [
                    ['first', 1],
                    ['last', 1],
                ],
            );
            assert.deepEqual(seen, [['first'], ['first', 'last']]);
        } finally {
            process.exitCode = before;
            peers.close();
        }
    });
});
