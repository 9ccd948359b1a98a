import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { accuracyRow, accuracyText } from '../../scripts/bench/accuracy_rows.js';
import { compareMixed, mixedText } from '../../scripts/bench/accuracy_mixed.js';
import { searchGrid, type Grid, type Run, type Timed } from '../../scripts/bench/accuracy_search.js';

const grid: Grid = {
    epochs: [1, 2, 3],
    recipes: [
        { hidden: [8], batch: 64, rate: 0.1, schedule: 'constant' },
        { hidden: [16], batch: 64, rate: 0.1, schedule: 'constant' },
        { hidden: [32], batch: 64, rate: 0.1, schedule: 'constant' },
    ],
};

/** Larger networks take longer and get further. */
function trained({ hidden: [units = 0], epochs }: Timed, seed: number): Promise<Run> {
    const withoutImport = epochs * units;
    const accuracy = 0.9 + 0.02 * epochs + units / 1000 + (seed === 1 ? 0.001 : -0.001);
    return Promise.resolve({ seconds: withoutImport + 1, withoutImport, accuracy });
}

describe('search for a recipe', () => {
    it('takes the one that gets there first, and tries no longer than need be', async () => {
        const lines: string[] = [];
        const print = (line: string): void => void lines.push(line);
        const best = await searchGrid({ name: 'row', target: 0.95, grid, seeds: 2 }, trained, print);
        assert.deepEqual(best, { ...grid.recipes[0], epochs: 3 });
        // 3 of the first, 2 of the second (as long as the best), 1 of the third.
        assert.equal(lines.length, 6);
        assert.match(lines[0], /^92\.80 % {2}8\.00 s {2}2 seeds {2}\{"hidden":\[8\],.*"epochs":1\}$/);
    });

    it('asks all seeds where two reach the target', async () => {
        const lines: string[] = [];
        const unlucky = async (recipe: Timed, seed: number): Promise<Run> => {
            const run = await trained(recipe, seed);
            return { ...run, accuracy: run.accuracy - (seed > 2 && recipe.hidden[0] === 8 ? 0.05 : 0) };
        };
        const best = await searchGrid({ name: 'row', target: 0.95, grid, seeds: 5 }, unlucky, (line) => {
            lines.push(line);
        });
        assert.deepEqual(best, { ...grid.recipes[1], epochs: 2 });
        assert.match(lines[2], /^93\.\d\d % .* 5 seeds .*"epochs":3\}$/);
    });

    it('says what no recipe reaches, and where the grid has none', async () => {
        const print = (): void => undefined;
        await assert.rejects(
            searchGrid({ name: 'row', target: 0.999, grid, seeds: 2 }, trained, print),
            /no recipe of the grid reaches 99\.90 % for row/,
        );
        await assert.rejects(
            searchGrid({ name: 'row', target: 0.9, grid: undefined, seeds: 2 }, trained, print),
            /the grid has no recipes and epochs for row/,
        );
    });
});

describe('accuracy in mixed precision', () => {
    const run =
        (loss: number) =>
        (flags: readonly string[], seed: number): Promise<Run> => {
            const accuracy = 0.98 + seed / 1000 - (flags.includes('bf16') ? loss : 0);
            return Promise.resolve({ seconds: 1, withoutImport: 1, accuracy });
        };

    it('is compared seed by seed', async () => {
        const row = await compareMixed(
            { name: 'row', precision: 'bf16', flags: ['--epochs', '1'] },
            3,
            run(0.0005),
        );
        assert.deepEqual(row.ours.seeds, [98.05, 98.15, 98.25]);
        assert.deepEqual(row.peers.nativegrad_f32.seeds, [98.1, 98.2, 98.3]);
        assert.ok(Math.abs(row.difference + 0.05) < 1e-9);
        assert.match(
            mixedText(row),
            /row, 3 seeds\n.*98\.150 %.*\n.*98\.200 %.*\n {2}difference -0\.050 points\n/,
        );
    });

    it('says where it is missed', async () => {
        const row = await compareMixed({ name: 'row', precision: 'bf16', flags: [] }, 2, run(0.002));
        assert.match(mixedText(row), /difference -0\.200 points: MISSED, 0\.1 are allowed/);
    });
});

describe('time to an accuracy', () => {
    const run = (seconds: number, accuracy: number): Run => ({
        seconds,
        withoutImport: seconds - 1,
        training: seconds / 10,
        accuracy,
    });

    it('is compared with PyTorch as a whole, and by the training alone', () => {
        const row = accuracyRow('row', [run(2, 0.99), run(4, 0.98)], [run(7, 0.985), run(9, 0.985)]);
        assert.equal(row.ours.accuracy, 0.985);
        assert.ok(Math.abs((row.ratio ?? 0) - 7 / 3) < 1e-12);
        assert.ok(Math.abs((row.training_ratio ?? 0) - 8 / 3) < 1e-12);
        const text = accuracyText(row, 2, 0.98);
        assert.match(text, /^row, 2 seeds, asked 98\.00 %\n {2}nativegrad .*training 0\.300 s\n/);
        assert.match(text, /over ours: 2\.33, of the training alone 2\.67\n/);
        assert.match(accuracyText(row, 2, 0.99), /asked 99\.00 %: MISSED/);
    });

    it('stands alone where there is no PyTorch', () => {
        const row = accuracyRow('row', [run(2, 0.99)], []);
        assert.deepEqual([row.peers, row.ratio, row.training_ratio], [{}, null, null]);
        assert.doesNotMatch(accuracyText(row, 1, 0.98), /PyTorch/);
    });
});

describe('bench:accuracy', () => {
    const script = fileURLToPath(new URL('../../scripts/bench/accuracy.ts', import.meta.url));
    const said = (...words: string[]): string =>
        spawnSync(process.execPath, ['--import', 'tsx', script, ...words], { encoding: 'utf8' }).stderr;

    it('refuses rows and counts that are none', () => {
        assert.match(
            said('accuracy_999'),
            /^\[bench\] there is no row 'accuracy_999'; rows are accuracy_982.*\n$/,
        );
        assert.match(said('--seeds', '0'), /expected an integer of at least 1/);
    });
});
