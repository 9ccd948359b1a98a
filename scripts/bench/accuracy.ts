// Time from the start of the process to an accuracy on MNIST's test set: `train --preset fast` of the package as users have it
// beside PyTorch with the recipe of a grid that gets there first. And the accuracy in bfloat16 beside that in float32.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError, Option } from 'commander';

import { readMnist } from '../../lib/data/mnist_files.js';
import { compareMixed, MIXED, mixedText, type MixedRow } from './accuracy_mixed.js';
import { mean, percent, searchGrid, type Grid, type Run, type Timed } from './accuracy_search.js';
import { runProgram, type Program } from './fresh_process.js';
import { describeHost } from './host.js';
import { currentCommit, saveRun } from './save.js';
import { stagePackage } from './staged_package.js';
import { summarize, type Summary } from './statistics.js';

interface Flags {
    readonly search?: true;
    readonly grid: string;
    readonly best: string;
    readonly seeds: string;
    readonly threads: string;
    readonly device: 'cpu' | 'cuda';
    readonly python: string;
    readonly data?: string;
    readonly save?: string;
}

const HERE = fileURLToPath(new URL('./', import.meta.url));

/** Our commands are fixed; `best` of PyTorch is what `--search` found. */
const TARGETS = [
    { name: 'accuracy_982', target: 0.982, flags: ['--preset', 'fast', '--max_steps', '470'] },
    { name: 'accuracy_990', target: 0.99, flags: ['--preset', 'fast'] },
] as const;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
async function timed(program: Program): Promise<Run> {
    const { seconds, line } = await runProgram(program);
    const said = JSON.parse(line) as Partial<Record<string, number>>;
    const accuracy = said.accuracy ?? said.test_accuracy;
    if (accuracy === undefined) throw new Error(`[bench] no accuracy in ${line}`);
    const { seconds: training, import_seconds: imported = 0 } = said;
    return {
        seconds,
        withoutImport: seconds - imported,
        accuracy,
        ...(training === undefined ? {} : { training }),
    };
}

class Comparison {
    constructor(
        private readonly flags: Flags,
        private readonly data: string,
    ) {}

    pytorch(recipe: Timed, seed: number): Promise<Run> {
        const script = join(HERE, 'fresh', 'accuracy.py');
        const { threads, device } = this.flags;
        const words = [script, threads, this.data, String(seed), JSON.stringify(recipe), device];
        return timed({ program: this.flags.python, words });
    }

    ours(project: string, flags: readonly string[], seed: number): Promise<Run> {
        const words = [
            join(project, 'node_modules', 'nativegrad', 'dist', 'js', 'cli.js'),
            'train',
            ...flags,
        ];
        const { threads, device } = this.flags;
        words.push(
            '--seed',
            String(seed),
            '--threads',
            threads,
            '--device',
            device,
            '--data',
            this.data,
            '--json',
        );
        return timed({ program: process.execPath, words: [...words, '--output_dir', join(project, 'runs')] });
    }
}

interface Side extends Summary {
    readonly accuracy: number;
    /** Seconds of the training itself, once everything is set up. */
    readonly training: Summary | null;
}

interface Row {
    readonly name: string;
    readonly unit: 's';
    readonly ours: Side;
    readonly peers: Readonly<Record<string, Side>>;
    /** The peer's mean without its import over our mean with everything. */
    readonly ratio: number;
}

function row(name: string, ours: readonly Run[], theirs: readonly Run[]): Row {
    const side = (runs: readonly Run[], seconds: readonly number[]): Side => {
        const training = runs.flatMap((run) => run.training ?? []);
        return {
            ...summarize(seconds),
            accuracy: mean(runs.map((run) => run.accuracy)),
            training: training.length > 0 ? summarize(training) : null,
        };
    };
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

function readJson(file: string, hint: string): unknown {
    try {
        return JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
        throw new Error(`[bench] cannot read ${file}; ${hint}`, { cause: error });
    }
}

type Best = Partial<Record<string, Timed>>;

/** Looks for PyTorch's recipes and keeps each as soon as it is found. */
async function search(comparison: Comparison, flags: Flags, names: readonly string[]): Promise<void> {
    const grids = readJson(flags.grid, 'name another with --grid') as Partial<Record<string, Grid>>;
    const found: Best = existsSync(flags.best) ? (readJson(flags.best, 'remove it') as Best) : {};
    for (const { name, target } of TARGETS.filter((row) => names.includes(row.name))) {
        print(`${name}: the first of PyTorch's recipes at ${percent(target)}`);
        const run = (recipe: Timed, seed: number): Promise<Run> => comparison.pytorch(recipe, seed);
        const seeds = Number(flags.seeds);
        found[name] = await searchGrid({ name, target, grid: grids[name], seeds }, run, print);
        writeFileSync(flags.best, `${JSON.stringify(found, null, 4)}\n`);
        print(`best: ${JSON.stringify(found[name])}\n`);
    }
}

async function compareRow(
    comparison: Comparison,
    project: string,
    { name, target, flags: words }: (typeof TARGETS)[number],
    flags: Flags,
): Promise<Row> {
    const hint = 'find the recipes with --search, or name a file with --best';
    const recipe = (readJson(flags.best, hint) as Best)[name];
    if (!recipe) throw new Error(`[bench] ${flags.best} has no recipe for ${name}; ${hint}`);
    const [ours, theirs]: [Run[], Run[]] = [[], []];
    for (let seed = 1; seed <= Number(flags.seeds); seed++) {
        ours.push(await comparison.ours(project, words, seed));
        theirs.push(await comparison.pytorch(recipe, seed));
    }
    const result = row(name, ours, theirs);
    const isMissed = [result.ours, result.peers.pytorch].some(({ accuracy }) => accuracy < target);
    print(
        `${name}, ${flags.seeds} seeds, asked ${percent(target)}${isMissed ? ': MISSED, the times compare nothing' : ''}`,
    );
    for (const [key, side] of Object.entries({ nativegrad: result.ours, ...result.peers }))
        print(
            `  ${key.padEnd(24)} ${side.median.toFixed(2)} s (at least ${side.min.toFixed(2)})  ${percent(side.accuracy)}` +
                (side.training ? `  training ${side.training.median.toFixed(3)} s` : ''),
        );
    print(`  PyTorch without its import over ours: ${result.ratio.toFixed(2)}\n`);
    return result;
}

async function compare(
    comparison: Comparison,
    project: string,
    flags: Flags,
    names: readonly string[],
): Promise<(Row | MixedRow)[]> {
    const rows: (Row | MixedRow)[] = [];
    for (const target of TARGETS.filter(({ name }) => names.includes(name)))
        rows.push(await compareRow(comparison, project, target, flags));
    for (const mixed of MIXED.filter(({ name }) => names.includes(name))) {
        const result = await compareMixed(mixed, Number(flags.seeds), (words, seed) =>
            comparison.ours(project, words, seed),
        );
        print(mixedText(result));
        rows.push(result);
    }
    return rows;
}

const ALL = [...TARGETS, ...MIXED].map(({ name }) => name);

/** The rows that are named, or those against PyTorch. */
function chosen(names: readonly string[]): readonly string[] {
    const unknown = names.find((name) => !ALL.includes(name));
    if (unknown !== undefined)
        throw new Error(`[bench] there is no row '${unknown}'; rows are ${ALL.join(', ')}`);
    return names.length > 0 ? names : TARGETS.map(({ name }) => name);
}

function positive(text: string): string {
    if (/^[1-9]\d*$/.test(text)) return text;
    throw new InvalidArgumentError('expected an integer of at least 1');
}

const command = new Command('bench:accuracy')
    .description(
        'Times runs from the start of the process to 98.2 % and 99.0 % of test accuracy, next to PyTorch; compares the accuracy ' +
            'of mixed precision with that of float32.',
    )
    .argument('[rows...]', `of ${ALL.join(', ')} (default: those against PyTorch)`)
    .option('--search', "find PyTorch's best recipes in the grid first (an hour), and keep them")
    .option('--grid <file>', 'recipes that a search tries', join(HERE, 'accuracy_grid.json'))
    .option('--best <file>', 'recipes that were found', join(HERE, 'accuracy_best.json'))
    .option('--seeds <n>', 'seeds on each side', positive, '5')
    .option('--threads <n>', 'threads on both sides', positive, String(availableParallelism()))
    .addOption(
        new Option('--device <name>', 'where both sides compute').choices(['cpu', 'cuda']).default('cpu'),
    )
    .option('--python <path>', 'a Python that has torch', 'python3')
    .option('--data <folder>', 'folder of the MNIST files')
    .option('--save <file>', 'write the rows to a JSON file')
    .action(async (rowNames: readonly string[], flags: Flags) => {
        const names = chosen(rowNames);
        const { folder } = await readMnist({ folder: flags.data });
        const comparison = new Comparison(flags, folder);
        const machine = `${describeHost()}, ${flags.threads} threads, Node ${process.version}`;
        print(`${machine}\n`);
        const commit = currentCommit();
        // First: a search is long, and there may be no package to compare with.
        const staged = stagePackage();
        try {
            if (flags.search) await search(comparison, flags, names);
            const rows = await compare(comparison, staged.project, flags, names);
            if (flags.save !== undefined)
                saveRun(flags.save, rows, {
                    script: 'bench:accuracy',
                    words: process.argv.slice(2),
                    machine,
                    commit,
                });
        } finally {
            staged.remove();
        }
    });

try {
    await command.parseAsync();
} catch (error) {
    // What a user can mend is one line.
    if (!(error instanceof Error) || !/^\[(bench|mnist)\]/.test(error.message)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
}
