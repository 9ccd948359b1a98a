import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { PeerCalls } from '../../scripts/bench/benchmark.js';
import { PeerProcess } from '../../scripts/bench/peer_process.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/bench/peer.py', import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;

// Any module with a version stands in for a framework: what is tested is how the peer runs the code that it is given.
const start = (module: string): Promise<PeerProcess> => PeerProcess.start('python3', [SCRIPT, module, '2']);

const work = (code: Omit<PeerCalls, 'framework'>): PeerCalls => ({ framework: 'torch', ...code });

if (hasPython) {
    describe('bench peer.py', () => {
        let peer: PeerProcess | undefined;

        afterEach(() => {
            peer?.close();
            peer = undefined;
        });

        it('runs the statement as often as it is told, then what finishes the turn, within the context', async () => {
            peer = await start('json');
            assert.match(peer.version, /^\d+\./);
            const log = [
                'import contextlib',
                'calls = []',
                '@contextlib.contextmanager',
                'def mode():',
                '    calls.append("in")',
                '    yield',
                '    assert calls[-3:] == ["x folder 2", "x folder 2", "end"], calls',
                '    calls.append("out")',
            ];
            const subject = await peer.subject(
                'peer',
                work({
                    setup: log.join('\n'),
                    statement: 'word = f"x {DATA} {THREADS}"\ncalls.append(word)',
                    finish: 'calls.append("end")',
                    within: 'mode()',
                }),
                'folder',
            );
            const seconds = await subject.run(2);
            assert.ok(seconds > 0 && seconds < 1, `${seconds} s`);
            // The context refuses a turn that is not of two statements.
            await assert.rejects(subject.run(1), /AssertionError/);
        });

        it('needs neither finish nor context, and counts the time', async () => {
            peer = await start('json');
            const subject = await peer.subject(
                'peer',
                work({ setup: 'from time import sleep', statement: 'sleep(0.02)' }),
                '',
            );
            assert.ok((await subject.run(3)) >= 0.06);
        });

        it('answers errors of setup and statement with one line, and goes on', async () => {
            peer = await start('json');
            for (const [setup, statement, message] of [
                ['import no_such_module', 'pass', /ModuleNotFoundError/],
                ['x = (', 'pass', /SyntaxError/],
                ['', 'raise ValueError("first\\nsecond")', /ValueError: first$/],
            ] as const) {
                await assert.rejects(peer.subject('bad', work({ setup, statement }), ''), message);
            }
            const subject = await peer.subject('good', work({ setup: 'x = 1', statement: 'x + 1' }), '');
            assert.ok((await subject.run(10)) > 0);
        });

        it('says that a framework is missing', async () => {
            await assert.rejects(start('no_such_framework'), /No module named 'no_such_framework'/);
        });
    });
}
