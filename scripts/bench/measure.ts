import { type Command, InvalidArgumentError } from 'commander';

import { watchStream } from '../../lib/cli/streams.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { clocksText, type ClockWatch } from './gpu_clocks.js';
import type { Peers } from './peers.js';
import { describeRow } from './report.js';
import { runRounds } from './rounds.js';
import { makeRow, type Row } from './statistics.js';

export const say = (text: string): void => void process.stderr.write(`${text}\n`);
export const print = (text: string): void => void process.stdout.write(`${text}\n`);

const [output] = [process.stdout, process.stderr].map(watchStream);

/** For options that count something. */
export function positive(text: string): number {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1)
        throw new InvalidArgumentError('expected a whole number above 0');
    return value;
}

export interface MeasureOptions {
    readonly rounds: number;
    /** GFLOP/s of this machine now, for rows that count operations; null where there is nothing to compare with. */
    readonly peak: (() => number) | null;
    /** Units of work in every turn, where the rows' own do not hold. */
    readonly turn?: number;
    /** The rows are wanted even where nobody reads what is printed. */
    readonly isSaved?: boolean;
    /** Reads the clocks of a GPU while the turns go on. */
    readonly clocks?: ClockWatch;
    /** Gets all rows so far after each one. */
    readonly onRow?: (rows: readonly Row[]) => void;
}

/** Rows that were measured, and the peaks beside them. */
export interface Measured {
    readonly rows: Row[];
    readonly peaks: number[];
}

async function measureRow(
    benchmark: Benchmark,
    peers: Peers,
    context: BenchContext,
    options: MeasureOptions,
): Promise<Measured> {
    const subjects = [await benchmark.ours(context)];
    try {
        for (const [key, variant] of Object.entries(benchmark.variants ?? {}))
            subjects.push({ ...(await variant(context)), key });
        subjects.push(...(await peers.subjects(benchmark, context)));
        await options.clocks?.begin();
        const found = await runRounds(subjects, {
            rounds: benchmark.rounds ?? options.rounds,
            turn: options.turn ?? benchmark.turn,
            peak: benchmark.flops === null ? null : options.peak,
        });
        const clocks = await options.clocks?.end();
        const row = { ...makeRow(benchmark, found.amounts, found.peaks), ...(clocks ? { clocks } : {}) };
        print(describeRow(benchmark, row, found) + (clocks ? `\n${clocksText(clocks)}\n` : '\n'));
        return { rows: [row], peaks: found.peaks };
    } finally {
        for (const subject of subjects) await subject.close?.();
    }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Measures row after row and prints each. One that fails is told, the others are measured, and the process ends with 1. */
export async function measureRows(
    benchmarks: readonly Benchmark[],
    peers: Peers,
    context: BenchContext,
    options: MeasureOptions,
): Promise<Measured> {
    const all: Measured = { rows: [], peaks: [] };
    for (const [index, benchmark] of benchmarks.entries()) {
        if (!options.isSaved && !output?.hasReader()) break;
        say(`bench: ${benchmark.name} (${index + 1} of ${benchmarks.length})`);
        try {
            const { rows, peaks } = await measureRow(benchmark, peers, context, options);
            all.rows.push(...rows);
            all.peaks.push(...peaks);
            options.onRow?.(all.rows);
        } catch (error) {
            say(`bench: ${benchmark.name}: FAILED: ${messageOf(error)}`);
            process.exitCode = 1;
        }
    }
    return all;
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** Runs a command line; what is wrong with it or with the machine, by these classes, takes one line and ends with 2. */
export async function runCommand(command: Command, refusals: readonly ErrorClass[]): Promise<void> {
    try {
        await command.exitOverride().parseAsync();
    } catch (error) {
        const word = error as { code?: string; exitCode?: number };
        if (word.code === 'commander.helpDisplayed') process.exitCode = 0;
        else if (error instanceof Error && refusals.some((kind) => error instanceof kind)) {
            say(`bench: ${error.message}`);
            process.exitCode = 2;
        } else if (word.code?.startsWith('commander.')) process.exitCode = 2;
        else throw error;
    }
}
