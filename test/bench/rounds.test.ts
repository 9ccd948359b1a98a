import assert from 'node:assert/strict';

import { convFlops, denseFlops, trainFlops } from '../../scripts/bench/benchmark.js';
import type { Benchmark, Subject } from '../../scripts/bench/benchmark.js';
import { parseCpuTicks, stealBetween } from '../../scripts/bench/host.js';
import { describeRow } from '../../scripts/bench/report.js';
import { findTurn, runRounds } from '../../scripts/bench/rounds.js';
import { makeRow, median, peakFraction, summarize } from '../../scripts/bench/statistics.js';

const BENCHMARK: Benchmark = {
    group: 'toy',
    name: 'toy_f32',
    unit: 'ms/step',
    scale: 1000,
    flops: 2e6,
    epoch: 100,
    peers: { pytorch: { framework: 'torch', setup: '', statement: 'pass' } },
    ours: () => Promise.reject(new Error('not used here')),
};

function subject(key: string, seconds: readonly number[], log: string[]): Subject {
    let turn = 0;
    return {
        key,
        run: (count) => {
            log.push(key);
            return Promise.resolve(count * seconds[turn++ % seconds.length]);
        },
    };
}

describe('bench rounds', () => {
    it('warms up, then lets every subject take its turn in every round', async () => {
        const log: string[] = [];
        const subjects = [subject('nativegrad', [1], log), subject('pytorch', [2], log)];
        let peaks = 0;
        const found = await runRounds(subjects, { rounds: 3, turn: 10, peak: () => ++peaks });
        const rounds = found.peaks.length + found.discarded;
        assert.ok(found.peaks.length >= 3);
        assert.equal(log.length, 2 * (rounds + 1));
        assert.deepEqual(
            log.filter((key, i) => key !== ['nativegrad', 'pytorch'][i % 2]),
            [],
        );
        assert.deepEqual(new Set(found.amounts.get('pytorch')), new Set([2]));
        assert.equal(found.amounts.get('nativegrad')?.length, found.peaks.length);
    });

    it('states the ratio to the best peer and the fraction of the peak', () => {
        const seconds = new Map([
            ['nativegrad', [0.001, 0.002, 0.003]],
            ['pytorch', [0.006, 0.008, 0.02]],
            ['pytorch_fused', [0.005, 0.005, 0.005]],
        ]);
        const row = makeRow(BENCHMARK, seconds, [1.5, 2, 8]);
        assert.deepEqual(row.ours, { min: 1, median: 2, mad: 1 });
        assert.deepEqual(row.peers.pytorch, { min: 6, median: 8, mad: 2 });
        assert.equal(row.ratio, 2.5);
        assert.equal(row.peak_fraction, 0.5);
        const found = { amounts: seconds, peaks: [1.5, 2, 8], turn: 10, steal: 0, discarded: 1 };
        assert.match(describeRow(BENCHMARK, row, found), /3 rounds of 10, peak 2\.0 GFLOP\/s/);
        assert.match(
            describeRow(BENCHMARK, row, found),
            /pytorch_fused +5\.000 +5\.000 +0\.000 +0\.4 +20\.0 %/,
        );
    });

    it('compares with each peer and with other ways of ours, of which only peers enter the ratio', () => {
        const amounts = new Map([
            ['nativegrad', [0.001]],
            ['nativegrad_in_turn', [0.0005]],
            ['pytorch', [0.15]],
            ['pytorch_graph', [0.012]],
        ]);
        const variants = { nativegrad_in_turn: () => Promise.reject(new Error('not used here')) };
        const row = makeRow({ ...BENCHMARK, variants }, amounts, []);
        assert.deepEqual(Object.keys(row.variants), ['nativegrad_in_turn']);
        assert.deepEqual(Object.keys(row.peers), ['pytorch', 'pytorch_graph']);
        assert.deepEqual(row.ratios, { nativegrad_in_turn: 0.5, pytorch: 150, pytorch_graph: 12 });
        assert.equal(row.ratio, 12);
        const text = describeRow(BENCHMARK, row, { amounts, peaks: [], turn: 1, steal: 0, discarded: 0 });
        for (const line of [/nativegrad_in_turn .* 0\.50x$/m, /pytorch .* 150\.00x$/m, /over ours$/m])
            assert.match(text, line);
    });

    it('leaves ratio and fraction out where there is no peer and no peak', () => {
        const row = makeRow(BENCHMARK, new Map([['nativegrad', [1]]]), []);
        assert.deepEqual(row.peers, {});
        assert.equal(row.ratio, null);
        assert.equal(row.peak_fraction, null);
        assert.throws(() => makeRow(BENCHMARK, new Map(), []), /no run of our own/);
    });

    it('compares each round with the peak of that round', () => {
        // Half the peak in every round, though both halve on the way.
        assert.equal(peakFraction(1e9, [1, 2, 4], [2, 1, 0.5]), 0.5);
        assert.equal(peakFraction(null, [1], [2]), null);
        assert.equal(peakFraction(1e9, [1], []), null);
    });

    it('finds how many units make a turn', async () => {
        const counts: number[] = [];
        const work = {
            key: 'nativegrad',
            run: (count: number) => {
                counts.push(count);
                return Promise.resolve(count * 0.001);
            },
        };
        assert.equal(await findTurn(work, 0.04), 40);
        assert.deepEqual(counts, [1, 1, 2, 4, 8, 16, 32]);
        // A first unit that takes 30 times as long, as where memory is touched for the first time.
        let begun = false;
        const cold = {
            ...work,
            run: (count: number) => {
                const seconds = count * 0.001 + (begun ? 0 : 0.03);
                begun = true;
                return Promise.resolve(seconds);
            },
        };
        assert.equal(await findTurn(cold, 0.04), 40);
        assert.equal(await findTurn({ ...work, run: () => Promise.resolve(5) }, 0.04), 1);
        const found = await runRounds([work], { rounds: 1, peak: null });
        assert.equal(found.turn, 40);
        assert.deepEqual(found.peaks, []);
        await assert.rejects(runRounds([], { rounds: 1, peak: null }), /nobody to take turns/);
    });

    it('says how far a median is to be trusted', () => {
        assert.deepEqual(summarize([1, 2, 4, 8, 100], 2), { min: 2, median: 8, mad: 6 });
        assert.deepEqual(summarize([3, 3, 3]), { min: 3, median: 3, mad: 0 });
    });

    it('takes medians of odd, even and no counts', () => {
        assert.equal(median([3, 1, 2]), 2);
        assert.equal(median([4, 1, 2, 3]), 2.5);
        assert.throws(() => median([]), /no values/);
    });

    it('counts the operations of a training step', () => {
        const mlp = [denseFlops(784, 256), denseFlops(256, 128), denseFlops(128, 10)];
        assert.equal(trainFlops(1, mlp), 1_007_104);
        assert.equal(trainFlops(64, mlp), 64 * 1_007_104);
        const cnn = [convFlops(1, 32, 3, 784), convFlops(32, 64, 3, 196)];
        cnn.push(denseFlops(3136, 128), denseFlops(128, 10));
        assert.equal(trainFlops(1, cnn), 24_995_328);
    });

    it('reads the stolen time of /proc/stat', () => {
        const before = parseCpuTicks('cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3 4 5 6 7 8\n');
        assert.deepEqual(before, { steal: 35, total: 1000 });
        const after = parseCpuTicks('cpu  150 0 50 840 10 0 5 45 7 0\n');
        assert.equal(stealBetween(before, after), 0.1);
        assert.equal(stealBetween(null, after), 0);
        assert.equal(parseCpuTicks('intr 1 2 3'), null);
    });
});
