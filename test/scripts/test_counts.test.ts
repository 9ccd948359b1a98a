import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../support/command.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('test counts', () => {
    const folder = useTemporaryFolder();

    async function sum(...entries: object[]) {
        const file = join(folder(), 'counts');
        writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
        const { stdout, code } = await runCommand(process.execPath, ['scripts/check/sum_counts.mjs', file]);
        return [stdout, code];
    }

    const step = { event: 'step', name: 'test' };
    const start = { event: 'start', pid: 7 };

    function end(passed: number, failed: number) {
        return { event: 'end', pid: 7, passed, failed, pending: 0 };
    }

    it('adds up runs', async () => {
        const entries = [step, start, end(3, 0), { event: 'stepEnd', status: 0 }, step, start, end(4, 2)];
        assert.deepEqual(await sum(...entries, { event: 'stepEnd', status: 2 }), ['7 passed, 2 failed\n', 1]);
        assert.deepEqual(await sum(step, start, end(1, 0)), ['1 passed, 0 failed\n', 0]);
    });

    it('counts a run without an end as a failure', async () => {
        assert.deepEqual(await sum(step, start), ['0 passed, 1 failed\n', 1]);
        assert.deepEqual(await sum(step, start, { event: 'stepEnd', status: 1 }), [
            '0 passed, 1 failed\n',
            1,
        ]);
    });

    it('counts a failed step without a failed test as a failure', async () => {
        const failedCheck = [step, { event: 'stepEnd', status: 1 }];
        const lateCrash = [step, start, end(5, 0), { event: 'stepEnd', status: 134 }];
        assert.deepEqual(await sum(...failedCheck, ...lateCrash), ['5 passed, 2 failed\n', 1]);
    });

    it('come behind the tests that failed, with their steps and messages', async () => {
        const fail = { event: 'fail', pid: 7, title: 'relu is right', error: 'AssertionError: 1\n  at here' };
        const [text] = await sum(step, start, fail, end(3, 1), { event: 'stepEnd', status: 1 });
        assert.equal(
            text,
            'test: relu is right\n    AssertionError: 1\n      at here\n\n3 passed, 1 failed\n',
        );
    });

    it('are written by the reporter, also when the process dies in the midst of a test', async () => {
        // Inside the checkout, so that the test's process finds tsx.
        const suite = join('build', `counting_${process.pid}`);
        const file = join(suite, 'suite.test.ts');
        const counts = join(folder(), 'counts');
        const env = { ...process.env, NATIVEGRAD_TEST_COUNTS: counts };
        mkdirSync(suite, { recursive: true });
        try {
            writeFileSync(
                file,
                "describe('a', () => { it('b', () => {}); it('c', () => { throw new Error('no'); }); });",
            );
            const words = ['node_modules/mocha/bin/mocha.js', file];
            assert.equal((await runCommand(process.execPath, words, { env })).code, 1);
            writeFileSync(
                file,
                "describe('a', () => { it('b', () => process.kill(process.pid, 'SIGKILL')); });",
            );
            await runCommand(process.execPath, words, { env });
        } finally {
            rmSync(suite, { recursive: true });
        }
        const events = readFileSync(counts, 'utf8')
            .trim()
            .split('\n')
            .map((line) => ({ ...(JSON.parse(line) as { error?: string }), pid: 0 }));
        const message = events[1]?.error;
        assert.match(message ?? '', /^Error: no\n.*suite\.test\.ts/);
        assert.deepEqual(events, [
            { pid: 0, event: 'start' },
            { pid: 0, event: 'fail', title: 'a c', error: message },
            { pid: 0, event: 'end', passed: 1, failed: 1, pending: 0 },
            { pid: 0, event: 'start' },
        ]);
    });
});
