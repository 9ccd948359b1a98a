import type { NativeProgram } from '../native/addon.js';
import { CaptureError } from '../native/capture_error.js';
import {
    joinPrograms,
    programCalls,
    replay,
    replayAsync,
    stepsDoneBefore,
    type Replay,
    type Replays,
} from '../native/program.js';

/** One replay, or several in a row, ready to go. */
export interface PreparedReplay extends Replay {
    /** Brings back the JavaScript state from before the steps. */
    readonly restore: () => void;
    /** Does the JavaScript part of the first `count` steps. */
    readonly act: (count: number) => void;
}

/** What a program is here. */
export interface Replayable {
    /** The calls that replays run; those that were recorded, where they are asked for and still there. */
    calls(asRecorded: boolean): NativeProgram;
    /** Does in JavaScript what the end of a step does. */
    applyEffects(): void;
}

/** A program and what it is to run. */
export interface ProgramRun {
    readonly program: Replayable;
    readonly prepared: PreparedReplay;
}

/** Prepares programs to run side by side: all of them, or none where one throws. */
export function prepareTogether(parts: readonly (() => ProgramRun)[]): ProgramRun[] {
    const runs: ProgramRun[] = [];
    try {
        for (const part of parts) runs.push(part());
    } catch (error) {
        goBack(runs, []);
        throw error;
    }
    return runs;
}

/**
 * Runs programs side by side, with their calls as they were recorded where asked for. After an error the JavaScript state is
 * that of the whole steps of each.
 */
export function runTogether(runs: readonly ProgramRun[], asRecorded = false): void {
    try {
        replay(replaysOf(runs, asRecorded));
    } catch (error) {
        goBack(runs, stepsDoneBefore(error));
        throw error;
    }
    for (const { program } of runs) program.applyEffects();
}

export async function runTogetherAsync(runs: readonly ProgramRun[], asRecorded = false): Promise<void> {
    try {
        const done = replayAsync(replaysOf(runs, asRecorded));
        for (const { program } of runs) program.applyEffects();
        await done;
    } catch (error) {
        goBack(runs, stepsDoneBefore(error));
        throw error;
    }
}

function replaysOf(runs: readonly ProgramRun[], asRecorded: boolean): Replays {
    return runs.map(({ program, prepared }) => ({ program: program.calls(asRecorded), replay: prepared }));
}

/**
 * Brings the JavaScript state to where it is after so many steps of each. The last ones first: what several programs share
 * (the default generator) was noted first by the first of them.
 */
function goBack(runs: readonly ProgramRun[], stepsDone: readonly number[]): void {
    for (const { prepared } of [...runs].reverse()) prepared.restore();
    runs.forEach(({ prepared }, i) => prepared.act(stepsDone[i] ?? 0));
}

/**
 * Prepares programs of models of one kind, with these numbers, for `runTogether`; returns how many groups of them can run at once.
 *
 * @throws CaptureError where they are not of one kind; Error where one writes what another uses.
 */
export function join(
    programs: readonly Replayable[],
    models: readonly number[] = programs.map((_, i) => i),
): number {
    const [first] = programs.map((program) => callTexts(program.calls(false)));
    programs.forEach((program, model) => {
        const calls = callTexts(program.calls(false));
        const length = Math.max(calls.length, first?.length ?? 0);
        for (let i = 0; i < length; i++) {
            if (calls[i] === first?.[i]) continue;
            throw new CaptureError(
                `[captureModels] the steps differ: call ${i} is ${first?.[i] ?? 'missing'} for model ${models[0]}, ` +
                    `${calls[i] ?? 'missing'} for model ${models[model]}; models that are trained together have the same layers, ` +
                    'loss and kind of optimizer',
            );
        }
    });
    return joinPrograms(
        programs.map((program) => program.calls(false)),
        models,
    );
}

function callTexts(program: NativeProgram): string[] {
    return programCalls(program).map(({ op, shapes }) => `${op} ${shapes}`);
}
