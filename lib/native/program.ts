import { native, type NativeProgram, type RunPrograms } from './addon.js';
import type { TensorRecord } from './call.js';
import { activeWatcher, type Watcher } from './watcher.js';

const block = native.block();

function writeHandles(position: number, records: readonly TensorRecord[]): number {
    block[position++] = records.length;
    for (const { id } of records) block[position++] = id;
    return position;
}

const handlesOf = (records: readonly TensorRecord[]): Float64Array =>
    Float64Array.from(records, ({ id }) => id);

/**
 * Starts recording op calls; the elements of `inputs` are brought by each replay. The step uses `standIns`, new tensors of the
 * same layouts, in their place.
 */
export function beginRecording(inputs: readonly TensorRecord[], standIns: readonly TensorRecord[]): void {
    writeHandles(0, inputs);
    native.captureBegin(...standIns);
    standIns.forEach((standIn, i) => (standIn.id = block[i] ?? 0));
}

export function abortRecording(): void {
    native.captureAbort();
}

/**
 * Ends recording. The elements of `results` are copied out after each step; tensors in `kept` get memory of their own, which
 * each step writes. `changingSlots` are the slots that `replay` gets values for. Gives the programs that are asked for: the
 * calls as recorded, fused calls.
 */
export function endRecording(
    results: readonly TensorRecord[],
    kept: readonly TensorRecord[],
    changingSlots: readonly number[],
    wanted: { readonly exact: boolean; readonly fused: boolean },
): NativeProgram[] {
    const slots = Int32Array.from(changingSlots);
    return native.captureEnd(handlesOf(results), handlesOf(kept), slots, wanted.exact, wanted.fused);
}

/** One or more steps: the values of the changing slots step by step, and where results go. */
export interface Replay {
    readonly steps: number;
    readonly rows: Float64Array;
    readonly inputs: readonly TensorRecord[];
    readonly outputs: readonly TensorRecord[];
    /** Inputs have one more axis in front, an entry a step. */
    readonly stacked: boolean;
}

/** What to run: programs, which take the same number of steps, and what each of them reads and writes. */
export type Replays = readonly { readonly program: NativeProgram; readonly replay: Replay }[];

function joined(rows: readonly Float64Array[]): Float64Array {
    const all = new Float64Array(rows.reduce((sum, { length }) => sum + length, 0));
    let place = 0;
    for (const part of rows) {
        all.set(part, place);
        place += part.length;
    }
    return all;
}

function start<Result>(run: RunPrograms<Result>, replays: Replays): Result {
    let position = 0;
    for (const { replay } of replays)
        position = writeHandles(writeHandles(position, replay.inputs), replay.outputs);
    if (position > block.length)
        throw new RangeError(
            replays.length === 1
                ? `[capture] the inputs and results of the step are too many for one replay, more than ${block.length}`
                : `[captureModels] ${replays.length} models with their inputs and results are too many for one replay`,
        );
    const [first] = replays;
    if (!first) throw new Error('[capture] there is no program to run');
    const { program, replay } = first;
    if (replays.length === 1) return run(program, replay.steps, replay.rows, replay.stacked);
    const programs = replays.map((each) => each.program);
    return run(programs, replay.steps, joined(replays.map((each) => each.replay.rows)), replay.stacked);
}

/** How many whole steps each of the programs did before a replay failed with `error`; empty when it did not start. */
export function stepsDoneBefore(error: unknown): readonly number[] {
    return error instanceof Error && 'stepsDone' in error ? (error.stepsDone as readonly number[]) : [];
}

/** Runs programs now, side by side. */
export function replay(replays: Replays): void {
    const watcher = activeWatcher();
    const begin = watcher?.now() ?? 0;
    start(native.replay, replays);
    if (watcher) tell(watcher, replays, begin);
}

/** A replay counts as one op. */
function tell(watcher: Watcher, replays: Replays, begin: number): void {
    const inputs = replays.flatMap(({ replay: { inputs } }) => inputs);
    const outputs = replays.flatMap(({ replay: { outputs } }) => outputs);
    watcher.onCall('captured_step', inputs, outputs, begin);
}

const running = new Set<Promise<void>>();

/** Runs programs on the program thread. Until the promise settles, what they write cannot be used. */
export function replayAsync(replays: Replays): Promise<void> {
    const watcher = activeWatcher();
    const begin = watcher?.now() ?? 0;
    const done = start(native.replayAsync, replays);
    running.add(done);
    if (watcher)
        void done.then(
            () => tell(watcher, replays, begin),
            () => undefined,
        );
    const forget = (): void => void running.delete(done);
    done.then(forget, forget);
    return done;
}

/** Throws where the replay would be refused because a program in the background uses the same tensors. */
export function checkReplay(replays: Replays): void {
    if (running.size > 0) start(native.checkReplay, replays);
}

/** Prepares programs of one kind, of models with these numbers, for replays side by side; returns how many groups can run at once. */
export function joinPrograms(programs: readonly NativeProgram[], models: readonly number[]): number {
    return native.joinPrograms(programs, Int32Array.from(models));
}

/** Whether a program is running on another thread. */
export function programsRun(): boolean {
    return running.size > 0;
}

/** Resolves when no program is running on another thread. */
export async function programsAtRest(): Promise<void> {
    while (running.size > 0) await Promise.allSettled([...running]);
}

/** Size of a program. */
export interface ProgramSize {
    readonly calls: number;
    readonly buffers: number;
    readonly slots: number;
    /** Memory of the temporaries, and the least that any plan could need. */
    readonly arenaBytes: number;
    readonly leastArenaBytes: number;
}

/** 'graph', or 'calls' with the reason why the device gets the calls of a step one by one. */
export function programExecution(program: NativeProgram): string {
    return native.programExecution(program);
}

export function programSize(program: NativeProgram): ProgramSize {
    native.programStats(program);
    const [calls = 0, buffers = 0, slots = 0, arenaBytes = 0, leastArenaBytes = 0] = block;
    return { calls, buffers, slots, arenaBytes, leastArenaBytes };
}

/** One op call of a program; `milliseconds` are those of one step, 0 where nothing was measured. */
export interface ProgramCall {
    readonly op: string;
    /** Of the inputs and, behind the arrow, the outputs. */
    readonly shapes: string;
    /** Of inputs and outputs in memory, each element once: what the call has to move at least. */
    readonly bytes: number;
    /** Made before the steps of a run, and only where what it made before no longer holds; a profile makes it always. */
    readonly once: boolean;
    /** On a GPU by its own clock, from the end of the call before. */
    readonly milliseconds: number;
}

export function programCalls(program: NativeProgram, steps = 1): ProgramCall[] {
    return native.programCalls(program).map(({ op, shapes, bytes, once, nanoseconds }) => ({
        op,
        shapes,
        bytes,
        once,
        milliseconds: nanoseconds / 1e6 / steps,
    }));
}

/** Whether fused calls add up in another order on the way to each result, and to each tensor that a program leaves. */
export interface Reordered {
    readonly results: readonly boolean[];
    readonly tensors: readonly boolean[];
}

export function reorderedSums(
    program: NativeProgram,
    results: number,
    tensors: readonly TensorRecord[],
): Reordered {
    const marks = native.programReordered(program, handlesOf(tensors));
    return { results: marks.slice(0, results), tensors: marks.slice(results) };
}

/** Runs `body`, in which replays of the program measure their calls. */
export function timed<T>(program: NativeProgram, body: () => T): T {
    native.setTimed(program, true);
    try {
        return body();
    } finally {
        native.setTimed(program, false);
    }
}

/** Gives memory back to the system that no tensor uses. */
export function emptyCache(): void {
    native.emptyCache(0);
}
