import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';

import { findCheckpoints, readCheckpoint } from '../../lib/io/checkpoint/read_checkpoint.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';
import { TracedSave } from '../support/traced_save.js';

describe('saving a checkpoint', () => {
    const folder = useTemporaryFolder();

    async function newest(runs: string): Promise<number> {
        const [found] = await findCheckpoints(runs);
        assert.ok(found, 'no checkpoint is left');
        const { manifest, files } = await readCheckpoint(found.path);
        const bytes = files.get('a.bin') ?? [];
        assert.equal(bytes.length, 100);
        assert.ok(bytes.every((byte) => byte === (manifest.step & 255)));
        return manifest.step;
    }

    /** A plus: from that call on, else once. ENOSPC once is a disk that gets room again. */
    const faults: Readonly<Record<string, readonly string[]>> = {
        mkdir: ['signal=SIGKILL', 'error=EDQUOT', 'error=ENOSPC+'],
        openat: ['signal=SIGKILL', 'error=EIO', 'error=EMFILE', 'error=EINTR', 'error=ENOSPC+'],
        write: ['signal=SIGKILL', 'error=EIO', 'error=ENOSPC', 'error=EINTR', 'error=EDQUOT+'],
        fsync: ['signal=SIGKILL', 'error=EIO', 'error=ENOSPC', 'error=EIO+'],
        close: ['signal=SIGKILL', 'error=EIO'],
        rename: ['signal=SIGKILL', 'error=EIO+'],
        unlink: ['signal=SIGKILL', 'error=EIO+'],
        rmdir: ['signal=SIGKILL', 'error=EIO'],
        pread64: ['error=EIO', 'error=EIO+'],
        getdents64: ['error=EIO'],
    };

    it('leaves the acknowledged or the newer checkpoint after any fault at any of its system calls', async () => {
        const traced = new TracedSave(folder());
        assert.match(traced.save(1, []).out, /^saved/);
        let [step, struck] = [1, 0];
        for (const [call, kinds] of Object.entries(faults)) {
            for (const fault of kinds) {
                for (let when = 1; ; when++) {
                    const isLasting = fault.endsWith('+');
                    const inject = `inject=${call}:${fault.replace('+', '')}:when=${when}${isLasting ? '+' : ''}`;
                    const { out, log } = traced.save(step + 1, ['-e', inject]);
                    if (!/INJECTED|killed by SIGKILL/.test(log)) {
                        step = await newest(traced.runs);
                        break;
                    }
                    struck++;
                    const left = readdirSync(traced.runs);
                    const isSaved = out.startsWith('saved');
                    const isKilled = fault === 'signal=SIGKILL';
                    if (!isKilled) assert.ok(isSaved || out === 'CheckpointError', `${inject}: ${out}`);
                    const syncs = log.match(/fsync\(.* = 0$/gm)?.length ?? 0;
                    if (isSaved) assert.ok(syncs >= 4, `${inject}: told of a save after ${syncs} fsyncs`);
                    const temporary = left.filter((name) => name.includes('.tmp-'));
                    if (!isKilled && !isLasting) assert.deepEqual(temporary, [], `${inject} leaves a folder`);
                    const now = await newest(traced.runs);
                    assert.ok(
                        now === step + 1 || (now === step && !isSaved),
                        `${inject}: ${now} after ${step}`,
                    );
                    step = now;
                }
            }
        }
        assert.ok(struck >= 100, `${struck} faults`);
    });
});
