import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { findCheckpoints, readCheckpoint } from '../../lib/io/checkpoint/read_checkpoint.js';
import { removeLeftovers } from '../../lib/io/checkpoint/write_checkpoint.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';
import { TracedSave } from '../support/traced_save.js';

describe('saving a checkpoint', function () {
    this.timeout(300_000);
    const folder = useTemporaryFolder();

    async function newest(): Promise<number> {
        await removeLeftovers(join(folder(), 'runs'));
        const [found] = await findCheckpoints(join(folder(), 'runs'));
        assert.ok(found, 'no checkpoint is left');
        const { manifest, files } = await readCheckpoint(found.path);
        const bytes = files.get('a.bin') ?? [];
        assert.equal(bytes.length, 100);
        assert.ok(bytes.every((byte) => byte === (manifest.step & 255)));
        return manifest.step;
    }

    const calls = ['mkdir', 'openat', 'write', 'fsync', 'close', 'rename', 'unlink', 'rmdir'];
    // A plus: from that call on, else once.
    const faults = ['signal=SIGKILL', 'error=EIO', 'error=ENOSPC+'];

    it('leaves the acknowledged or the newer checkpoint after any fault at any of its system calls', async () => {
        const traced = new TracedSave(folder());
        assert.match(traced.save(1, []).out, /^saved/);
        let [step, struck] = [1, 0];
        for (const call of calls) {
            for (const fault of faults) {
                for (let when = 1; ; when++) {
                    const isLasting = fault.endsWith('+');
                    const inject = `inject=${call}:${fault.replace('+', '')}:when=${when}${isLasting ? '+' : ''}`;
                    const { out, log } = traced.save(step + 1, ['-e', inject]);
                    if (!/INJECTED|killed by SIGKILL/.test(log)) {
                        step = await newest();
                        break;
                    }
                    struck++;
                    const left = readdirSync(join(folder(), 'runs'));
                    const isSaved = out.startsWith('saved');
                    const isKilled = fault === 'signal=SIGKILL';
                    if (!isKilled) assert.ok(isSaved || out === 'CheckpointError', `${inject}: ${out}`);
                    const syncs = log.match(/fsync\(.* = 0$/gm)?.length ?? 0;
                    if (isSaved) assert.ok(syncs >= 4, `${inject}: told of a save after ${syncs} fsyncs`);
                    const temporary = left.filter((name) => name.includes('.tmp-'));
                    if (!isKilled && !isLasting) assert.deepEqual(temporary, [], `${inject} leaves a folder`);
                    const now = await newest();
                    assert.ok(
                        now === step + 1 || (now === step && !isSaved),
                        `${inject}: ${now} after ${step}`,
                    );
                    step = now;
                }
            }
        }
        assert.ok(struck >= 40, `${struck} faults`);
    });
});
