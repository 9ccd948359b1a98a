import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { CheckpointFolder } from '../../lib/io/checkpoint/checkpoint_folder.js';
import { readCheckpoint } from '../../lib/io/checkpoint/read_checkpoint.js';
import { DiskTrace } from '../support/power_loss.js';
import type { CrashState } from '../support/power_loss.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';
import { TracedSave } from '../support/traced_save.js';

describe('power loss while a checkpoint is saved', () => {
    const folder = useTemporaryFolder();

    /** The bytes of every checkpoint in the folder. */
    function checkpoints(runs: string): Record<string, Record<string, Uint8Array>> {
        const files = (name: string): [string, Uint8Array][] =>
            readdirSync(join(runs, name)).map((file) => [file, readFileSync(join(runs, name, file))]);
        return Object.fromEntries(readdirSync(runs).map((name) => [name, Object.fromEntries(files(name))]));
    }

    /** What the save of step 2 does to the folder of checkpoints, or that of step 1, which makes that folder, to the disk. */
    function trace(step: 1 | 2): DiskTrace {
        const traced = new TracedSave(mkdtempSync(join(folder(), 'trace-')));
        if (step === 2) assert.match(traced.save(1, []).out, /^saved/);
        const before = step === 2 ? checkpoints(traced.runs) : {};
        const acknowledgement = join(folder(), 'acknowledged');
        const { out, log } = traced.save(step, [], acknowledgement);
        assert.match(out, /^saved/);
        const after = checkpoints(traced.runs)[`step-${step}`];
        assert.ok(after);
        const contents = (name: string): Uint8Array => after[name] ?? assert.fail(name);
        const top = step === 2 ? traced.runs : traced.disk;
        return new DiskTrace(top, before, contents).read(log, acknowledgement);
    }

    /** The step that is found, 0 where there is none, or the reason why. */
    async function recover(state: CrashState, runs: string): Promise<number | string> {
        const place = join(folder(), 'crashed');
        rmSync(place, { recursive: true, force: true });
        mkdirSync(place);
        state.write(place);
        const rules = { keepLast: 1, keepBest: 0, badness: () => Infinity, warn: () => undefined };
        const stepOf = async (path: string): Promise<number> => (await readCheckpoint(path)).manifest.step;
        try {
            return (await new CheckpointFolder(join(place, runs), rules).load(stepOf)) ?? 0;
        } catch (error) {
            return String(error);
        }
    }

    async function wrongStates(
        states: Iterable<CrashState>,
        step: 1 | 2,
        most = Infinity,
    ): Promise<{ count: number; wrong: string[] }> {
        const wrong: string[] = [];
        let count = 0;
        for (const state of states) {
            count++;
            const found = await recover(state, step === 2 ? '.' : 'new/runs');
            if (found !== step && (state.isAcknowledged || found !== step - 1))
                wrong.push(`${state.text} -> ${found}`);
            if (wrong.length >= most) break;
        }
        return { count, wrong };
    }

    for (const [step, what, syncs, states] of [
        [1, 'the first checkpoint', 6, 40],
        [2, 'a checkpoint', 4, 80],
    ] as const) {
        it(`leaves the acknowledged or the newer one in every state of the disk: ${what}`, async () => {
            const { count, wrong } = await wrongStates(trace(step).states(), step);
            assert.deepEqual(wrong, []);
            assert.ok(count >= states, `${count} states`);
        });

        it(`would not without any of the fsyncs: ${what}`, async () => {
            const traced = trace(step);
            assert.equal(traced.syncs, syncs);
            for (let leaveOut = 0; leaveOut < traced.syncs; leaveOut++) {
                const { wrong } = await wrongStates(acknowledged(traced.states(leaveOut)), step, 1);
                assert.ok(wrong.length > 0, `fsync ${leaveOut} is not needed`);
            }
        });
    }
});

function* acknowledged(states: Iterable<CrashState>): Generator<CrashState> {
    for (const state of states) if (state.isAcknowledged) yield state;
}
