import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { findCheckpoints, readCheckpoint } from '../../lib/io/checkpoint/read_checkpoint.js';
import { removeLeftovers } from '../../lib/io/checkpoint/write_checkpoint.js';
import { DiskTrace } from '../support/power_loss.js';
import type { CrashState } from '../support/power_loss.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';
import { TracedSave } from '../support/traced_save.js';

describe('power loss while a checkpoint is saved', function () {
    this.timeout(300_000);
    const folder = useTemporaryFolder();

    /** The bytes of every checkpoint in the folder. */
    function checkpoints(runs: string): Record<string, Record<string, Uint8Array>> {
        const files = (name: string): [string, Uint8Array][] =>
            readdirSync(join(runs, name)).map((file) => [file, readFileSync(join(runs, name, file))]);
        return Object.fromEntries(readdirSync(runs).map((name) => [name, Object.fromEntries(files(name))]));
    }

    function trace(): DiskTrace {
        const traced = new TracedSave(folder());
        assert.match(traced.save(1, []).out, /^saved/);
        const before = checkpoints(traced.runs);
        const acknowledgement = join(folder(), 'acknowledged');
        const { out, log } = traced.save(2, [], acknowledgement);
        assert.match(out, /^saved/);
        const after = checkpoints(traced.runs)['step-2'];
        assert.ok(after);
        const contents = (name: string): Uint8Array => after[name] ?? assert.fail(name);
        return new DiskTrace(traced.runs, before, contents).read(log, acknowledgement);
    }

    /** The step that is found, or the reason why none is. */
    async function recover(state: CrashState): Promise<number | string> {
        const place = join(folder(), 'crashed');
        rmSync(place, { recursive: true, force: true });
        mkdirSync(place);
        state.write(place);
        await removeLeftovers(place);
        const problems: string[] = [];
        for (const { path, problem } of await findCheckpoints(place)) {
            const read = problem ?? (await readCheckpoint(path).catch((error: unknown) => error));
            if (read instanceof Error) problems.push(read.message);
            else return (read as { manifest: { step: number } }).manifest.step;
        }
        return `none is left: ${problems.join('; ')}`;
    }

    async function wrongStates(
        states: Iterable<CrashState>,
        most = Infinity,
    ): Promise<{ count: number; wrong: string[] }> {
        const wrong: string[] = [];
        let count = 0;
        for (const state of states) {
            count++;
            const step = await recover(state);
            if (step !== 2 && (state.isAcknowledged || step !== 1)) wrong.push(`${state.text} -> ${step}`);
            if (wrong.length >= most) break;
        }
        return { count, wrong };
    }

    it('leaves the acknowledged or the newer checkpoint in every state that the disk may be in', async () => {
        const { count, wrong } = await wrongStates(trace().states());
        assert.deepEqual(wrong, []);
        assert.ok(count >= 80, `${count} states`);
    });

    it('would not without any of the fsyncs', async () => {
        const traced = trace();
        assert.equal(traced.syncs, 4);
        for (let leaveOut = 0; leaveOut < traced.syncs; leaveOut++) {
            const { wrong } = await wrongStates(traced.states(leaveOut), 1);
            assert.ok(wrong.length > 0, `fsync ${leaveOut} is not needed`);
        }
    });
});
