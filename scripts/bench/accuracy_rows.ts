// Time to an accuracy on MNIST's test set beside PyTorch, and the accuracy in mixed precision beside that in float32: what
// bench:accuracy and bench:gpu have in common.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { compareMixed, MIXED, mixedText, type MixedRow } from './accuracy_mixed.js';
import { mean, percent, type Run, type Timed } from './accuracy_search.js';
import { runProgram, type Program } from './fresh_process.js';
import { summarize, type Summary } from './statistics.js';

const HERE = fileURLToPath(new URL('./', import.meta.url));

/** Where the recipes of PyTorch lie that a search found. */
export const BEST_RECIPES = join(HERE, 'accuracy_best.json');

/** Our commands are fixed; the recipe of PyTorch is what `bench:accuracy --search` found. */
export const TARGETS = [
    { name: 'accuracy_982', target: 0.982, flags: ['--preset', 'fast', '--max_steps', '470'] },
    { name: 'accuracy_990', target: 0.99, flags: ['--preset', 'fast'] },
] as const;

export const ACCURACY_NAMES: readonly string[] = [...TARGETS, ...MIXED].map(({ name }) => name);

export interface ComparisonOptions {
    readonly threads: string;
    readonly device: 'cpu' | 'cuda';
    /** null: nothing is compared with PyTorch. */
    readonly python: string | null;
    readonly data: string;
    /** What stands before the flags of `train` for Node: the program. */
    readonly program: readonly string[];
    /** Folder for the runs. */
    readonly output: string;
    /** Flags behind those of each row. */
    readonly flags?: readonly string[];
}

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

/** The two sides. */
export class Comparison {
    constructor(private readonly options: ComparisonOptions) {}

    get hasPytorch(): boolean {
        return this.options.python !== null;
    }

    pytorch(recipe: Timed, seed: number): Promise<Run> {
        const { threads, device, data, python } = this.options;
        if (python === null) throw new Error('[bench] there is no Python to compare with');
        const script = join(HERE, 'fresh', 'accuracy.py');
        const words = [script, threads, data, String(seed), JSON.stringify(recipe), device];
        return timed({ program: python, words });
    }

    ours(flags: readonly string[], seed: number): Promise<Run> {
        const { threads, device, data, program, output } = this.options;
        const places = ['--device', device, '--data', data, '--json', '--output_dir', output];
        const words = [...program, ...flags, ...(this.options.flags ?? [])];
        words.push('--seed', String(seed), '--threads', threads, ...places);
        return timed({ program: process.execPath, words });
    }
}

interface Side extends Summary {
    readonly accuracy: number;
    /** Seconds of the training itself, once everything is set up. */
    readonly training: Summary | null;
}

export interface AccuracyRow {
    readonly name: string;
    readonly unit: 's';
    readonly ours: Side;
    readonly peers: Readonly<Record<string, Side>>;
    /** The peer's mean without its import over our mean with everything. */
    readonly ratio: number | null;
    /** The same of the training alone. */
    readonly training_ratio: number | null;
}

const meanTraining = (runs: readonly Run[]): number =>
    mean(runs.map(({ training = Number.NaN }) => training));

/** Runs of the same seeds on both sides as a row. */
export function accuracyRow(name: string, ours: readonly Run[], theirs: readonly Run[]): AccuracyRow {
    const side = (runs: readonly Run[], seconds: readonly number[]): Side => {
        const training = runs.flatMap((run) => run.training ?? []);
        return {
            ...summarize(seconds),
            accuracy: mean(runs.map((run) => run.accuracy)),
            training: training.length > 0 ? summarize(training) : null,
        };
    };
    const all = (runs: readonly Run[]): number[] => runs.map((run) => run.seconds);
    const row = { name, unit: 's', ours: side(ours, all(ours)) } as const;
    if (theirs.length === 0) return { ...row, peers: {}, ratio: null, training_ratio: null };
    const withoutImport = theirs.map((run) => run.withoutImport);
    const training = meanTraining(theirs) / meanTraining(ours);
    return {
        ...row,
        peers: { pytorch: side(theirs, all(theirs)), pytorch_without_import: side(theirs, withoutImport) },
        ratio: mean(withoutImport) / mean(all(ours)),
        training_ratio: Number.isNaN(training) ? null : training,
    };
}

/** A row in words. */
export function accuracyText(row: AccuracyRow, seeds: number, target: number): string {
    const isMissed = [row.ours, ...Object.values(row.peers)].some(({ accuracy }) => accuracy < target);
    const sides = Object.entries({ nativegrad: row.ours, ...row.peers }).map(
        ([key, side]) =>
            `  ${key.padEnd(24)} ${side.median.toFixed(2)} s (at least ${side.min.toFixed(2)})  ${percent(side.accuracy)}` +
            (side.training ? `  training ${side.training.median.toFixed(3)} s` : ''),
    );
    const training =
        row.training_ratio === null ? '' : `, of the training alone ${row.training_ratio.toFixed(2)}`;
    return [
        `${row.name}, ${seeds} seeds, asked ${percent(target)}${isMissed ? ': MISSED, the times compare nothing' : ''}`,
        ...sides,
        ...(row.ratio === null
            ? []
            : [`  PyTorch without its import over ours: ${row.ratio.toFixed(2)}${training}`]),
        '',
    ].join('\n');
}

export function readJson(file: string, hint: string): unknown {
    try {
        return JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
        throw new Error(`[bench] cannot read ${file}; ${hint}`, { cause: error });
    }
}

export type Best = Partial<Record<string, Timed>>;

export const knownBest = (file: string): Best =>
    existsSync(file) ? (readJson(file, 'remove it') as Best) : {};

function recipeOf(name: string, best: string): Timed {
    const hint = 'find the recipes with `npm run bench:accuracy -- --search`, or name a file with --best';
    const recipe = (readJson(best, hint) as Best)[name];
    if (!recipe) throw new Error(`[bench] ${best} has no recipe for ${name}; ${hint}`);
    return recipe;
}

async function compareTarget(
    comparison: Comparison,
    { name, target, flags }: (typeof TARGETS)[number],
    { seeds, best, print }: AccuracyRun,
): Promise<AccuracyRow> {
    const recipe = comparison.hasPytorch ? recipeOf(name, best) : null;
    const [ours, theirs]: [Run[], Run[]] = [[], []];
    for (let seed = 1; seed <= seeds; seed++) {
        ours.push(await comparison.ours(flags, seed));
        if (recipe) theirs.push(await comparison.pytorch(recipe, seed));
    }
    const row = accuracyRow(name, ours, theirs);
    print(accuracyText(row, seeds, target));
    return row;
}

export interface AccuracyRun {
    readonly seeds: number;
    /** File of PyTorch's recipes. */
    readonly best: string;
    readonly print: (text: string) => void;
    /** Gets all rows so far after each one. */
    readonly onRow?: (rows: readonly object[]) => void;
}

/** Measures the rows of these names, prints each and gives them back. */
export async function compareAccuracy(
    comparison: Comparison,
    names: readonly string[],
    run: AccuracyRun,
): Promise<(AccuracyRow | MixedRow)[]> {
    const rows: (AccuracyRow | MixedRow)[] = [];
    const add = (row: AccuracyRow | MixedRow): void => {
        rows.push(row);
        run.onRow?.(rows);
    };
    for (const target of TARGETS.filter(({ name }) => names.includes(name)))
        add(await compareTarget(comparison, target, run));
    for (const mixed of MIXED.filter(({ name }) => names.includes(name))) {
        const row = await compareMixed(mixed, run.seeds, (words, seed) => comparison.ours(words, seed));
        run.print(mixedText(row));
        add(row);
    }
    return rows;
}
