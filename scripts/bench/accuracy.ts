// Time from the start of the process to an accuracy on MNIST's test set: `train --preset fast` of the package as users have it
// beside PyTorch with the recipe of a grid that gets there first.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command } from 'commander';

import { readMnist } from '../../lib/data/mnist_files.js';
import { runProgram, type Program } from './fresh_process.js';
import { describeHost } from './host.js';
import { stagePackage } from './staged_package.js';
import { summarize, type Summary } from './statistics.js';

interface Recipe {
    readonly channels?: readonly number[];
    readonly hidden: readonly number[];
    readonly batch: number;
    readonly rate: number;
    readonly schedule: string;
    readonly channels_last?: boolean;
}

interface Grid {
    readonly epochs: readonly number[];
    readonly recipes: readonly Recipe[];
}

type Timed = Recipe & { readonly epochs: number };

/** One process: its seconds, and what it reached. */
interface Run {
    readonly seconds: number;
    readonly withoutImport: number;
    readonly accuracy: number;
}

interface Flags {
    readonly search?: true;
    readonly seeds: string;
    readonly threads: string;
    readonly python: string;
    readonly data?: string;
    readonly save?: string;
}

const HERE = fileURLToPath(new URL('./', import.meta.url));
const BEST_FILE = join(HERE, 'accuracy_best.json');

/** Our commands are fixed; `best` of PyTorch is what `--search` found. */
const TARGETS = [
    { name: 'accuracy_982', target: 0.982, flags: ['--preset', 'fast', '--max_steps', '470'] },
    { name: 'accuracy_990', target: 0.99, flags: ['--preset', 'fast'] },
] as const;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

async function timed(program: Program): Promise<Run> {
    const { seconds, line } = await runProgram(program);
    const said = JSON.parse(line) as { accuracy?: number; test_accuracy?: number; import_seconds?: number };
    const accuracy = said.accuracy ?? said.test_accuracy;
    if (accuracy === undefined) throw new Error(`[bench] no accuracy in ${line}`);
    return { seconds, withoutImport: seconds - (said.import_seconds ?? 0), accuracy };
}

class Comparison {
    constructor(
        private readonly flags: Flags,
        private readonly data: string,
    ) {}

    pytorch(recipe: Timed, seed: number): Promise<Run> {
        const script = join(HERE, 'fresh', 'accuracy.py');
        const words = [script, this.flags.threads, this.data, String(seed), JSON.stringify(recipe)];
        return timed({ program: this.flags.python, words });
    }

    ours(project: string, flags: readonly string[], seed: number): Promise<Run> {
        const words = [
            join(project, 'node_modules', 'nativegrad', 'dist', 'js', 'cli.js'),
            'train',
            ...flags,
        ];
        words.push('--seed', String(seed), '--threads', this.flags.threads, '--data', this.data, '--json');
        return timed({ program: process.execPath, words: [...words, '--output_dir', join(project, 'runs')] });
    }

    /** The recipe that reaches the target first, by the mean of two seeds. */
    async search(target: number, grid: Grid): Promise<Timed> {
        let best: { recipe: Timed; seconds: number } | undefined;
        for (const recipe of grid.recipes) {
            for (const epochs of grid.epochs) {
                const runs: Run[] = [];
                for (const seed of [1, 2]) runs.push(await this.pytorch({ ...recipe, epochs }, seed));
                const accuracy = mean(runs.map((run) => run.accuracy));
                const seconds = mean(runs.map((run) => run.withoutImport));
                print(
                    `${percent(accuracy)}  ${seconds.toFixed(2)} s  ${JSON.stringify({ ...recipe, epochs })}`,
                );
                if (accuracy >= target && seconds < (best?.seconds ?? Infinity))
                    best = { recipe: { ...recipe, epochs }, seconds };
                if (accuracy >= target || seconds >= (best?.seconds ?? Infinity)) break;
            }
        }
        if (!best) throw new Error(`[bench] no recipe of the grid reaches ${percent(target)}`);
        return best.recipe;
    }
}

interface Row {
    readonly name: string;
    readonly unit: 's';
    readonly ours: Summary & { readonly accuracy: number };
    readonly peers: Readonly<Record<string, Summary & { readonly accuracy: number }>>;
    /** The peer's mean without its import over our mean with everything. */
    readonly ratio: number;
}

function row(name: string, ours: readonly Run[], theirs: readonly Run[]): Row {
    const side = (runs: readonly Run[], seconds: readonly number[]): Row['ours'] => ({
        ...summarize(seconds),
        accuracy: mean(runs.map((run) => run.accuracy)),
    });
    const all = (runs: readonly Run[]): number[] => runs.map((run) => run.seconds);
    const withoutImport = theirs.map((run) => run.withoutImport);
    return {
        name,
        unit: 's',
        ours: side(ours, all(ours)),
        peers: { pytorch: side(theirs, all(theirs)), pytorch_without_import: side(theirs, withoutImport) },
        ratio: mean(withoutImport) / mean(all(ours)),
    };
}

async function compare(comparison: Comparison, flags: Flags): Promise<Row[]> {
    const best = JSON.parse(readFileSync(BEST_FILE, 'utf8')) as Record<string, Timed>;
    const staged = stagePackage();
    const rows: Row[] = [];
    try {
        for (const { name, target, flags: words } of TARGETS) {
            const [ours, theirs]: [Run[], Run[]] = [[], []];
            for (let seed = 1; seed <= Number(flags.seeds); seed++) {
                ours.push(await comparison.ours(staged.project, words, seed));
                theirs.push(await comparison.pytorch(best[name], seed));
            }
            const result = row(name, ours, theirs);
            rows.push(result);
            const isMissed = [result.ours, result.peers.pytorch].some(({ accuracy }) => accuracy < target);
            print(
                `${name}, ${flags.seeds} seeds, asked ${percent(target)}${isMissed ? ': MISSED, the times compare nothing' : ''}`,
            );
            for (const [key, side] of Object.entries({ nativegrad: result.ours, ...result.peers }))
                print(
                    `  ${key.padEnd(24)} ${side.median.toFixed(2)} s (at least ${side.min.toFixed(2)})  ${percent(side.accuracy)}`,
                );
            print(`  PyTorch without its import over ours: ${result.ratio.toFixed(2)}\n`);
        }
    } finally {
        staged.remove();
    }
    return rows;
}

const command = new Command('bench:accuracy')
    .description(
        'Times runs from the start of the process to 98.2 % and 99.0 % of test accuracy, next to PyTorch.',
    )
    .option('--search', "find PyTorch's best recipes in accuracy_grid.json first (minutes), and keep them")
    .option('--seeds <n>', 'seeds on each side', '5')
    .option('--threads <n>', 'threads on both sides', String(availableParallelism()))
    .option('--python <path>', 'a Python that has torch', 'python3')
    .option('--data <folder>', 'folder of the MNIST files')
    .option('--save <file>', 'write the rows to a JSON file')
    .action(async (flags: Flags) => {
        const { folder } = await readMnist({ folder: flags.data });
        const comparison = new Comparison(flags, folder);
        print(`${describeHost()}, ${flags.threads} threads, Node ${process.version}\n`);
        if (flags.search) {
            const grids = JSON.parse(readFileSync(join(HERE, 'accuracy_grid.json'), 'utf8')) as Record<
                string,
                Grid
            >;
            const found: Record<string, Timed> = {};
            for (const { name, target } of TARGETS)
                found[name] = await comparison.search(target, grids[name] ?? { epochs: [], recipes: [] });
            writeFileSync(BEST_FILE, `${JSON.stringify(found, null, 4)}\n`);
        }
        const rows = await compare(comparison, flags);
        if (flags.save !== undefined)
            writeFileSync(flags.save, `${JSON.stringify({ machine: describeHost(), rows }, null, 4)}\n`);
    });

await command.parseAsync();
