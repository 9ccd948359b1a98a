import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { PeerCalls } from '../../scripts/bench/benchmark.js';
import { PeerProcess } from '../../scripts/bench/peer_process.js';

const FAKE = [fileURLToPath(new URL('fake_peer.mjs', import.meta.url))];

const work = (statement: string): PeerCalls => ({ framework: 'torch', setup: '', statement });

describe('bench peer process', () => {
    let peer: PeerProcess | undefined;

    afterEach(() => {
        peer?.close();
        peer = undefined;
    });

    it('takes its turns and reports the seconds, until it is dropped', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        assert.equal(peer.version, '0.0-fake');
        const subject = await peer.subject('pytorch', work('step()'), 'folder');
        assert.equal(subject.key, 'pytorch');
        assert.equal(await subject.run(200), 0.2);
        assert.equal(await subject.run(7), 0.007);
        await subject.close?.();
        await assert.rejects(subject.run(1), /no work pytorch 1/);
    });

    it('keeps works of one key apart', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        const first = await peer.subject('pytorch', work('a'), 'folder');
        const second = await peer.subject('pytorch', work('b'), 'folder');
        await first.close?.();
        assert.equal(await second.run(1), 0.001);
    });

    it('survives work that it cannot do', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        await assert.rejects(peer.subject('bad', work('broken'), 'folder'), /this work does not work/);
        const subject = await peer.subject('good', work('step()'), 'folder');
        assert.equal(await subject.run(1), 0.001);
    });

    it('rejects when the peer dies, with what it wrote to stderr, and from then on', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        await assert.rejects(peer.subject('dead', work('dies'), 'folder'), /exit code 3: Segmentation fault/);
        await assert.rejects(peer.subject('dead', work('dies'), 'folder'), /exit code 3/);
    });

    it('rejects an answer that is not JSON', async () => {
        peer = await PeerProcess.start(process.execPath, FAKE);
        const subject = await peer.subject('odd', work('garbage'), 'folder');
        await assert.rejects(subject.run(1), SyntaxError);
    });

    it('says what keeps the peer from starting', async () => {
        await assert.rejects(PeerProcess.start('/nonexistent/python3', FAKE), /ENOENT/);
        const folder = mkdtempSync(join(tmpdir(), 'bench-peer-'));
        try {
            const script = join(folder, 'no_torch.mjs');
            writeFileSync(script, `console.log('{"ready": false, "error": "No module named \\'torch\\'"}')`);
            await assert.rejects(PeerProcess.start(process.execPath, [script]), /No module named 'torch'/);
        } finally {
            rmSync(folder, { recursive: true });
        }
    });
});
