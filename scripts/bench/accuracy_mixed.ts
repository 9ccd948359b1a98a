import { mean, type Run } from './accuracy_search.js';
import { summarize, type Summary } from './statistics.js';

export interface MixedTarget {
    readonly name: string;
    readonly precision: 'bf16' | 'fp16';
    readonly flags: readonly string[];
}

/** Networks that are trained in float32 and with `--mixed_precision`, seed by seed. */
export const MIXED: readonly MixedTarget[] = (['bf16', 'fp16'] as const).flatMap((precision) => [
    { name: `accuracy_${precision}_mlp`, precision, flags: ['--architecture', 'mlp', '--epochs', '6'] },
    { name: `accuracy_${precision}_cnn`, precision, flags: ['--preset', 'fast'] },
]);

/** Points of accuracy that a low precision may cost. */
export const allowedPoints = 0.1;

/** Test accuracy in percent. */
export interface MixedRow {
    readonly name: string;
    readonly unit: '%';
    readonly ours: Summary & { readonly mean: number; readonly seeds: readonly number[] };
    readonly peers: { readonly nativegrad_f32: MixedRow['ours'] };
    /** The low precision's mean less float32's, in points. */
    readonly difference: number;
    readonly ratio: null;
}

function side(runs: readonly Run[]): MixedRow['ours'] {
    const seeds = runs.map(({ accuracy }) => Number((100 * accuracy).toFixed(3)));
    return { ...summarize(seeds), mean: mean(seeds), seeds };
}

/** Runs of the same seeds in both precisions as a row. */
export function mixedRow(name: string, low: readonly Run[], f32: readonly Run[]): MixedRow {
    const [ours, theirs] = [side(low), side(f32)];
    const difference = ours.mean - theirs.mean;
    return { name, unit: '%', ours, peers: { nativegrad_f32: theirs }, difference, ratio: null };
}

/** Trains each seed in both precisions, in turn. */
export async function compareMixed(
    { name, precision, flags }: MixedTarget,
    seeds: number,
    run: (flags: readonly string[], seed: number) => Promise<Run>,
): Promise<MixedRow> {
    const [low, f32]: [Run[], Run[]] = [[], []];
    for (let seed = 1; seed <= seeds; seed++) {
        f32.push(await run(flags, seed));
        low.push(await run([...flags, '--mixed_precision', precision], seed));
    }
    return mixedRow(name, low, f32);
}

/** A row in words. */
export function mixedText({ name, ours, peers, difference }: MixedRow): string {
    const line = (key: string, { mean: average, seeds }: MixedRow['ours']): string =>
        `  ${key.padEnd(24)} ${average.toFixed(3)} %  (${seeds.map((x) => x.toFixed(2)).join(', ')})`;
    const isMissed = difference < -allowedPoints;
    return [
        `${name}, ${ours.seeds.length} seeds`,
        line('mixed precision', ours),
        line('float32', peers.nativegrad_f32),
        `  difference ${difference.toFixed(3)} points${isMissed ? `: MISSED, ${allowedPoints} are allowed` : ''}`,
        '',
    ].join('\n');
}
