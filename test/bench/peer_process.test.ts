import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PeerProcess } from '../../scripts/bench/peer_process.js';

const FAKE = fileURLToPath(new URL('fake_peer.mjs', import.meta.url));
const CONTEXT = { threads: 2, data: '.' };

describe('bench peer process', () => {
    let peer: PeerProcess | undefined;

    afterEach(() => {
        peer?.close();
        peer = undefined;
    });

    it('takes its turns and reports the seconds', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        assert.equal(peer.version, '0.0-fake');
        const subject = await peer.subject('pytorch', { benchmark: 'mlp', variant: 'eager' }, CONTEXT);
        assert.equal(subject.key, 'pytorch');
        assert.equal(await subject.run(200), 0.2);
        assert.equal(await subject.run(7), 0.007);
    });

    it('survives a variant that does not work', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        await assert.rejects(
            peer.subject('bad', { benchmark: 'mlp', variant: 'broken' }, CONTEXT),
            /this variant does not work/,
        );
        const subject = await peer.subject('good', { benchmark: 'mlp', variant: 'eager' }, CONTEXT);
        assert.equal(await subject.run(1), 0.001);
    });

    it('rejects when the peer dies, with what it wrote to stderr, and from then on', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        const work = { benchmark: 'mlp', variant: 'dies' };
        await assert.rejects(peer.subject('dead', work, CONTEXT), /exit code 3: Segmentation fault/);
        await assert.rejects(peer.subject('dead', work, CONTEXT), /exit code 3/);
    });

    it('rejects an answer that is not JSON', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        const subject = await peer.subject('odd', { benchmark: 'mlp', variant: 'garbage' }, CONTEXT);
        await assert.rejects(subject.run(1), SyntaxError);
    });

    it('says what keeps the peer from starting', async () => {
        await assert.rejects(PeerProcess.start('/nonexistent/python3', FAKE), /ENOENT/);
        const folder = mkdtempSync(join(tmpdir(), 'bench-peer-'));
        try {
            const script = join(folder, 'no_torch.mjs');
            writeFileSync(script, `console.log('{"ready": false, "error": "No module named \\'torch\\'"}')`);
            await assert.rejects(PeerProcess.start(process.execPath, script), /No module named 'torch'/);
        } finally {
            rmSync(folder, { recursive: true });
        }
    });
});
