// What a fit was made with, as a checkpoint keeps it, and what of it differs where the fit goes on.
import { createHash } from 'node:crypto';

import { CsvBatches, DataLoader } from '../data/index.js';
import { CheckpointError } from '../io/checkpoint/checkpoint_error.js';
import { native } from '../native/addon.js';
import { Module } from '../nn/module.js';
import type { Batches, TrainerOptions } from './trainer_options.js';

/** Of a loader's state, what counts on and makes no order. */
const COUNTS = ['epoch', 'next'];

type Warn = (text: string) => void;

/** Of a loader whose epochs are numbered. Together they say the order of every epoch; older checkpoints lack the later ones. */
export interface LoaderState {
    /** The number of the epoch that runs, or of the next one. */
    readonly epoch: number;
    /** The loader's next number: somebody else may have looped over it in the epoch that runs. */
    readonly next?: number;
    readonly samples: number;
    readonly batchSize: number;
    readonly length: number;
    readonly seed?: number;
    readonly shuffle?: boolean;
    readonly dropLast?: boolean;
    readonly shuffleRows?: number;
}

/** Older checkpoints lack what has a question mark. */
export interface FitConfiguration {
    readonly precision: string;
    readonly device: string;
    readonly instructionSet: string;
    readonly optimizer: string;
    readonly scheduleClass?: string;
    readonly scheduleInterval?: string;
    readonly gradientClip?: number | null;
    /** The name of the function. */
    readonly loss?: string;
    readonly layers?: string;
    readonly node: string;
}

export type ConfiguredParts = Pick<TrainerOptions, 'model' | 'optimizer'> &
    Partial<Pick<TrainerOptions, 'schedule' | 'scheduleInterval' | 'gradientClip' | 'loss' | 'precision'>>;

/** Batches whose epochs are numbered, so that one can be repeated. */
export function isLoader(batches: Batches): batches is DataLoader | CsvBatches {
    return batches instanceof DataLoader || batches instanceof CsvBatches;
}

export function loaderStateOf(batches: Batches): LoaderState | null {
    if (!isLoader(batches)) return null;
    const { epoch, batchSize, length, seed } = batches;
    if (batches instanceof CsvBatches)
        return { epoch, batchSize, length, samples: batches.samples, seed, shuffleRows: batches.shuffleRows };
    const { shuffle, dropLast } = batches;
    return { epoch, batchSize, length, samples: batches.dataset.length, seed, shuffle, dropLast };
}

export function configurationOf(parts: ConfiguredParts): FitConfiguration {
    const { model, optimizer, schedule, scheduleInterval = 'epoch', gradientClip = null, loss } = parts;
    const [first] = model.parameters();
    return {
        precision: parts.precision ?? 'float32',
        device: first?.device ?? 'cpu',
        instructionSet: native.instructionSets().used,
        optimizer: optimizer.constructor.name,
        scheduleClass: schedule?.constructor.name ?? 'none',
        ...(schedule ? { scheduleInterval } : {}),
        gradientClip,
        ...(loss?.name ? { loss: loss.name } : {}),
        ...(model instanceof Module ? { layers: String(model) } : {}),
        node: process.versions.node,
    };
}

/** Of everything that is compared, for those who look for checkpoints of one kind. */
export function configurationHash(configuration: FitConfiguration, loader: LoaderState | null): string {
    const compared = [configuration, without(loader ?? {}, COUNTS)];
    return createHash('sha256').update(JSON.stringify(compared)).digest('hex');
}

/**
 * Holds the loader to the one of the checkpoint at `path`.
 *
 * @throws {CheckpointError} 'mismatch' where they differ in the middle of an epoch, whose batches would be others.
 */
export function compareLoaders(
    path: string,
    before: LoaderState | null,
    own: LoaderState | null,
    inEpoch: boolean,
    warn: Warn,
): void {
    if (!before || !own) return;
    const differences = differencesOf(without(before, COUNTS), own);
    if (differences.length === 0) return;
    const detail = `is of a loader with ${differences.map(({ was }) => was).join(', ')}, this one has ${differences.map(({ is }) => is).join(', ')}`;
    if (inEpoch)
        throw new CheckpointError(
            'mismatch',
            path,
            `${detail}; an epoch cannot go on with it: give the loader what it had, or resume from the end of an epoch`,
        );
    warn(`${path} ${detail}: the end of the run will differ from that of an uninterrupted one`);
}

/** Tells of each part that is another than that of the checkpoint at `path`, but for the version of Node. */
export function warnOfDifferences(
    path: string,
    before: FitConfiguration,
    own: FitConfiguration,
    warn: Warn,
): void {
    const names = Object.keys(own).filter((name) => name !== 'layers' && name !== 'node');
    for (const { name, was, is } of differencesOf(only(before, names), own))
        warn(
            `${path} was written with ${was}, this run has ${is.slice(name.length + 1)}: its bits will differ from those of an uninterrupted run`,
        );
    if (before.layers === undefined || own.layers === undefined || before.layers === own.layers) return;
    const [was, is] = [before.layers, own.layers].map((text) => text.split('\n'));
    const line = was.findIndex((text, i) => text !== is[i]);
    warn(
        `${path} was written with other layers, '${(was[line] ?? '').trim()}', this run has '${(is[line] ?? '').trim()}': ` +
            'its end will differ from that of an uninterrupted run',
    );
}

interface Difference {
    readonly name: string;
    readonly was: string;
    readonly is: string;
}

/** Names whose values are others; what the older of them does not tell of is the same. */
function differencesOf(before: object, own: object): Difference[] {
    const now = own as Record<string, unknown>;
    return Object.entries(before)
        .filter(([name, value]) => value !== undefined && value !== now[name])
        .map(([name, value]) => ({
            name,
            was: `${name} ${String(value)}`,
            is: `${name} ${String(now[name])}`,
        }));
}

function only(from: object, names: readonly string[]): object {
    return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}

function without(from: object, names: readonly string[]): object {
    return Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)));
}
