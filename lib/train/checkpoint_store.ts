import { basename, dirname } from 'node:path';

import { CheckpointError } from '../io/checkpoint/checkpoint_error.js';
import { CheckpointFolder, type SaveDetails } from '../io/checkpoint/checkpoint_folder.js';
import { readCheckpoint, type ReadCheckpoint } from '../io/checkpoint/read_checkpoint.js';
import { decodeSafetensors, safetensorsChunks } from '../io/safetensors.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { entriesOf } from '../tensor/tensor_file.js';
import { fromStorage, type Tensor } from '../tensor/tensor.js';
import { modeOf, monitored } from './early_stopping.js';
import type { EpochRecord, MonitoredName } from './history.js';
import { packTree, unpackTree } from './state_tree.js';

export interface CheckpointStoreOptions {
    /** When a fit saves: after so many steps, epochs or minutes, whichever comes first. Default: every epoch. */
    readonly every?: { readonly steps?: number; readonly epochs?: number; readonly minutes?: number };
    /** The newest that are kept. Default 3. */
    readonly keepLast?: number;
    /** The best that are kept besides, by `monitor`; an epoch without that figure ends a fit with an error. Default 0. */
    readonly keepBest?: number;
    /** Default: validationLoss. */
    readonly monitor?: MonitoredName;
    /** Default: max for accuracies, min for losses. */
    readonly mode?: 'min' | 'max';
    /** Hears what went wrong while a fit goes on. Default: `process.emitWarning`. */
    readonly onWarning?: (text: string) => void;
}

/** What is saved: the sections with tensors become a safetensors file each, all else stands in state.json. */
export type CheckpointState = Readonly<Record<string, unknown>>;

export type { SaveDetails };

/** A checkpoint that was read; its tensors lie on the CPU. */
export interface LoadedCheckpoint {
    readonly path: string;
    readonly step: number;
    readonly state: CheckpointState;
}

const optionNames = ['every', 'keepLast', 'keepBest', 'monitor', 'mode', 'onWarning'];

/**
 * A folder of checkpoints, `step-N` each, that survive the death of the process at any instruction, a power cut, a full disk:
 * never overwritten, with a manifest of sizes and SHA-256, checked in full when they are read. `fit(…, { checkpoints, resume })`
 * saves and resumes whole trainings; `save` and `load` are for loops of one's own.
 *
 * @throws TypeError or RangeError for options that are not what they should be.
 * @example
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { nn, optim, train } from 'nativegrad';
 * const model = new nn.Linear(4, 2);
 * const optimizer = new optim.Adam(model.parameters());
 * const store = new train.CheckpointStore(join(tmpdir(), `run-${process.pid}`), { keepLast: 2 });
 * await store.save(100, { model: model.stateDict(), optimizer: optimizer.stateDict(), note: 'mine' });
 * const saved = await store.load();
 * if (saved) model.loadStateDict(saved.state.model);
 * console.log(saved?.step); // 100
 */
export class CheckpointStore {
    private readonly files: CheckpointFolder;
    private readonly keepBest: number;
    private readonly monitor: MonitoredName;
    private readonly mode: 'min' | 'max';
    /** @internal */
    readonly every: { readonly steps: number; readonly epochs: number; readonly minutes: number };

    constructor(
        readonly folder: string,
        private readonly options: CheckpointStoreOptions = {},
    ) {
        if (typeof folder !== 'string' || folder === '')
            throw new TypeError(`[CheckpointStore] takes the path of a folder, got ${describeValue(folder)}`);
        requireOptionNames('[CheckpointStore]', options, optionNames);
        const { every = { epochs: 1 }, keepLast = 3, keepBest = 0, monitor = 'validationLoss' } = options;
        requireOptionNames('[CheckpointStore] every', every, ['steps', 'epochs', 'minutes']);
        const { steps = Infinity, epochs = Infinity, minutes = Infinity } = every;
        for (const [name, value] of Object.entries({ steps, epochs }))
            requireCount(`every.${name}`, value, 1, value === Infinity);
        if (!(minutes > 0))
            throw new RangeError(`[CheckpointStore] every.minutes must be above 0, got ${minutes}`);
        requireCount('keepLast', keepLast, 1);
        requireCount('keepBest', keepBest, 0);
        this.every = { steps, epochs, minutes };
        this.keepBest = keepBest;
        this.monitor = monitor;
        this.mode = options.mode ?? modeOf(monitor);
        this.files = new CheckpointFolder(folder, {
            keepLast,
            keepBest,
            badness: ({ metrics }) => this.badness(metrics[this.monitor]),
            warn: (text) => this.warn(text),
        });
    }

    /** @internal */
    warn(text: string): void {
        if (this.options.onWarning) this.options.onWarning(text);
        else process.emitWarning(text, 'CheckpointWarning');
    }

    /**
     * @internal Whether the last of these epochs is one of the best.
     * @throws Error where it does not have the figure that says so.
     */
    isAmongBest(records: readonly EpochRecord[]): boolean {
        const last = records.at(-1);
        if (this.keepBest === 0 || !last) return false;
        const value = this.badness(monitored('CheckpointStore', this.monitor, last));
        return (
            value < Infinity &&
            records.filter((x) => this.badness(x[this.monitor]) < value).length < this.keepBest
        );
    }

    /**
     * Takes the folder for this process, and removes what dead saves have left. `save` does so by itself, for as long as it takes.
     *
     * @throws {CheckpointError} 'locked' where another process has it, 'write' where it cannot be made.
     */
    async open(): Promise<void> {
        await this.files.open();
    }

    /** Gives the folder to others. */
    close(): void {
        this.files.close();
    }

    /**
     * Saves a state as checkpoint `step-N`. The tensors are copied before the function returns its promise, so training may go
     * on at once; when it resolves, the checkpoint survives a power cut. Saves of one store follow each other in the order of the calls.
     *
     * @throws {CheckpointError} 'write' where it cannot be written: the older ones stand; 'locked'.
     */
    async save(step: number, state: CheckpointState, details: SaveDetails = {}): Promise<string> {
        requireCount('step', step, 0);
        return this.files.save(step, snapshot(state), details);
    }

    /** Less is better; Infinity for what cannot be compared. */
    private badness(value: number | null | undefined): number {
        if (typeof value !== 'number' || !Number.isFinite(value)) return Infinity;
        return this.mode === 'min' ? value : -value;
    }

    /**
     * The newest good checkpoint, every byte checked; older ones stand in for those that are damaged or cannot be read, with a
     * warning. Undefined where there is none at all.
     *
     * @throws {CheckpointError} 'damaged' or 'unreadable' where all are, 'newer-format' where a later version has written the newest.
     */
    async load(): Promise<LoadedCheckpoint | undefined> {
        return this.files.load(loadCheckpoint);
    }
}

/**
 * Reads one checkpoint, a folder `step-N`, and checks every byte.
 *
 * @throws {CheckpointError} saying what is wrong with it.
 */
export async function loadCheckpoint(path: string): Promise<LoadedCheckpoint> {
    const read = await readCheckpoint(path);
    try {
        return { path, step: read.manifest.step, state: readState(read) };
    } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new CheckpointError('unreadable', path, `cannot be read: ${reason}`, { cause });
    }
}

/** @internal A store for the folder of checkpoint `path`, and whether it is one. */
export function isCheckpointFolder(path: string): boolean {
    return /^step-\d+(\.\d+)?$/.test(basename(path)) && dirname(path) !== path;
}

function readState({ files }: ReadCheckpoint): CheckpointState {
    const text = files.get('state.json');
    if (!text) throw new Error('state.json is missing');
    const sections = JSON.parse(Buffer.from(text).toString('utf8')) as Record<string, unknown>;
    return Object.fromEntries(
        Object.entries(sections).map(([name, json]) => {
            const file = files.get(`${name}.safetensors`);
            return [name, unpackTree(json, file ? tensorsOf(file) : new Map())];
        }),
    );
}

function tensorsOf(file: Uint8Array): Map<string, Tensor> {
    const { entries } = decodeSafetensors(file);
    return new Map(
        entries.map(({ name, dtype, shape, data }) => [name, fromStorage(data, shape, dtype, 'cpu')]),
    );
}

/** The files of a state as it is now. */
async function snapshot(state: CheckpointState): Promise<Record<string, Uint8Array[]>> {
    const sections: Record<string, unknown> = {};
    const reads = Object.entries(state).map(([name, part]) => {
        if (!/^\w{1,64}$/.test(name))
            throw new TypeError(
                `[checkpoint] a section is named '${name}', expected letters, digits and _ (a file is named after it)`,
            );
        const tensors = new Map<string, Tensor>();
        sections[name] = packTree(part, tensors);
        return { name, entries: entriesOf([...tensors]) };
    });
    const text = new TextEncoder().encode(`${JSON.stringify(sections)}\n`);
    const files: Record<string, Uint8Array[]> = {};
    for (const { name, entries } of reads) {
        const list = await entries;
        if (list.length > 0) files[`${name}.safetensors`] = safetensorsChunks(list, { format: 'nativegrad' });
    }
    return { ...files, 'state.json': [text] };
}

function requireCount(name: string, value: number, least: number, isGood = false): void {
    if (isGood || (Number.isSafeInteger(value) && value >= least)) return;
    throw new RangeError(
        `[CheckpointStore] ${name} must be an integer of at least ${least}, got ${describeValue(value)}`,
    );
}
