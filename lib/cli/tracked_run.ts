import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { memoryInfo } from '../cuda.js';
import type { DigitSet } from '../data/index.js';
import type { Module } from '../nn/module.js';
import type { Device } from '../tensor/device.js';
import { isName } from '../track/checks.js';
import { readRun } from '../track/read_run.js';
import type { DatasetInput, RunStatus } from '../track/records.js';
import { startRun } from '../track/run.js';
import type { Run, RunOptions } from '../track/run.js';
import { sourceTags } from '../track/source_tags.js';
import { logSystemMetrics } from '../track/system_metrics.js';
import { flagName } from './flags.js';
import type { RawFlags } from './flags.js';
import { packageVersion } from './package_version.js';
import { runNote } from './run_note.js';
import { OF_EACH_CALL } from './resumed_flags.js';
import { OF_TRACKING } from './tracking_flags.js';
import type { TrackingConfig } from './tracking_flags.js';

const END_WAIT_MS = 3000;
const FAILED_WAIT_MS = 1000;

/** What a command's run begins with. */
export interface TrackedRunOptions extends Pick<RunOptions, 'folder' | 'parent' | 'sinks'> {
    readonly config: TrackingConfig;
    readonly experiment: string;
    readonly command: string;
    readonly device: Device;
    readonly model: Module;
    /** Null for what is not given. */
    readonly params: Readonly<Record<string, unknown>>;
    readonly warn: (text: string) => void;
}

/** The run that a command notes what it does in, from its start to its end. */
export class TrackedRun {
    private stopSampling: (() => void) | undefined;

    private constructor(
        readonly run: Run,
        private readonly options: TrackedRunOptions,
    ) {}

    /**
     * A run that goes on stays as it was until `begin`.
     *
     * @throws {FolderLockedError} where another process writes the folder; {FileWriteError} where it cannot be written.
     */
    static async start(options: TrackedRunOptions): Promise<TrackedRun> {
        const { folder, experiment, parent, sinks, warn } = options;
        const run = await startRun({
            folder,
            experiment,
            ...(parent === undefined ? {} : { parent }),
            ...(sinks === undefined ? {} : { sinks }),
            resumeLate: true,
            onProblem: warn,
        });
        const tracked = new TrackedRun(run, options);
        if (!run.goesOn) tracked.begin();
        return tracked;
    }

    /** Notes what the run was asked to do, and from now on how busy the machine is. */
    begin(): void {
        if (this.stopSampling) return;
        const { run } = this;
        const { config, command, device, params } = this.options;
        run.setTags({
            ...sourceTags(),
            'nativegrad.version': packageVersion(),
            'nativegrad.command': command,
            // One that goes on keeps what somebody may have written there since.
            ...(run.goesOn ? {} : { 'mlflow.note.content': runNote(this.options) }),
            ...config.tags,
        });
        run.logParams(paramsOf(params));
        const gpuMemory = device === 'cpu' ? {} : { gpuMemory: () => [gpuMemoryOf(device)] };
        this.stopSampling = logSystemMetrics(run, gpuMemory);
    }

    /**
     * Runs what belongs to the run, which ends as `body` says, or FAILED where it throws; one that has not begun again by then
     * is left as it was.
     */
    async during<Result>(body: () => Promise<{ result: Result; status: RunStatus }>): Promise<Result> {
        const { trackingWait } = this.options.config;
        let done: { result: Result; status: RunStatus };
        try {
            done = await body();
        } catch (error) {
            const wait = { waitMs: trackingWait ?? FAILED_WAIT_MS };
            this.stopSampling?.();
            // What went wrong in the body is what the user must hear of.
            await this.run
                .leave(wait)
                .catch(() => this.run.end('FAILED', wait))
                .then(
                    ({ pending }) => pending.forEach(this.options.warn),
                    () => undefined,
                );
            throw error;
        }
        this.stopSampling?.();
        const { pending } = await this.run.end(done.status, { waitMs: trackingWait ?? END_WAIT_MS });
        pending.forEach(this.options.warn);
        return done.result;
    }

    /** Keeps the numbers of a result as metrics, and every file that lies in the run's folder itself. */
    async logResults(result: object, step: number): Promise<void> {
        const names = ['test_accuracy', 'test_loss', 'macro_f1', 'weighted_f1', 'seconds'];
        const numbers = Object.entries(result).filter(
            (entry): entry is [string, number] => names.includes(entry[0]) && typeof entry[1] === 'number',
        );
        this.run.logMetrics(
            Object.fromEntries(
                numbers.map(([name, value]) => [name === 'seconds' ? 'train_seconds' : name, value]),
            ),
            { step },
        );
        await this.logFiles();
    }

    private async logFiles(): Promise<void> {
        const { folder } = this.run;
        const entries = await readdir(folder, { withFileTypes: true });
        for (const name of entries.filter((entry) => entry.isFile()).map((entry) => entry.name)) {
            const isOwn = name.startsWith('.') || name.startsWith('tracking.');
            if (isOwn || name.startsWith('events.out.tfevents.')) continue;
            // Somebody's notes beside the run's own files must not fail it.
            const fits: boolean = isName(name);
            if (fits) await this.run.logArtifact(join(folder, name));
            else this.options.warn(`${name} is not kept as an artifact: servers do not take such a name`);
        }
    }
}

/** Which digits were read, told apart by a hash of them. */
export function digitsInput(digits: DigitSet, source: string, context: string): DatasetInput {
    const hash = createHash('sha256').update(digits.images).update(digits.labels).digest('hex');
    const profile = { samples: digits.count };
    return { name: 'digits', digest: hash.slice(0, 16), source, context, profile };
}

/** The experiment that a command's run belongs to. */
export function experimentOf(
    { experiment, experimentName }: { experiment: string | undefined; experimentName?: string | undefined },
    environment: NodeJS.ProcessEnv,
): string {
    const named = environment.MLFLOW_EXPERIMENT_NAME;
    return experiment ?? (named === undefined || named === '' ? (experimentName ?? 'Default') : named);
}

/** A command with its flags as one line that a shell understands. */
export function commandText(command: string, raw: RawFlags): string {
    const words = Object.entries(raw).flatMap(([key, value]) => {
        if (value === undefined) return [];
        return value === true ? [flagName(key)] : [flagName(key), inShell(value)];
    });
    return ['nativegrad', command, ...words].join(' ');
}

/** A word as a shell takes it. */
export function inShell(word: string): string {
    return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The tracked run whose folder a model file lies in, as parent of its evaluations. */
export async function trainingRunOf(
    modelPath: string,
): Promise<{ id: string; folder: string; experiment: string | undefined } | undefined> {
    return readRun(dirname(modelPath)).catch(() => undefined);
}

function gpuMemoryOf(device: Device): { used: number; total: number } {
    const { freeBytes, totalBytes } = memoryInfo(device);
    return { used: totalBytes - freeBytes, total: totalBytes };
}

/** What says where a run lies, what its files are called and where its numbers go, not what decides them. */
const OTHER_FLAGS = [...OF_TRACKING, ...OF_EACH_CALL, 'modelName'].map((key) => flagName(key).slice(2));

function paramsOf(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const entries = Object.entries(values);
    return Object.fromEntries(
        entries.filter(([name, value]) => value !== null && !OTHER_FLAGS.includes(name)),
    );
}
