import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freshSubject, reportedBytes, runProgram, type Program } from '../../scripts/bench/fresh_process.js';
import { NotBuiltError, stagePackage } from '../../scripts/bench/staged_package.js';

const node = (code: string): Program => ({ program: process.execPath, words: ['-e', code] });

describe('bench fresh processes', () => {
    it('count the time to the first line, not to the end', async () => {
        const { seconds, line } = await runProgram(
            node('console.log("done"); setTimeout(() => console.log("late"), 1500)'),
        );
        assert.equal(line, 'done');
        assert.ok(seconds > 0 && seconds < 1.5, `${seconds} s`);
    });

    it('sum up seconds, or the bytes that the line reports', async () => {
        const timed = await freshSubject('nativegrad', node('console.log(2)')).run(1);
        assert.ok(timed > 0.005 && timed < 30, `${timed} s`);
        const sized = freshSubject('nativegrad', node('console.log(JSON.stringify({ bytes: 1000 }))'));
        assert.equal(await sized.run(2), 2000);
        assert.equal(reportedBytes('2.0'), null);
        assert.throws(() => reportedBytes('{"bytes": "many"}'), /no size in/);
    });

    it('refuse a program that fails, says nothing, or is not there', async () => {
        await assert.rejects(runProgram(node('throw new Error("no addon")')), /ended with 1 .*no addon/s);
        await assert.rejects(runProgram(node('')), /ended with 0/);
        await assert.rejects(runProgram({ program: '/nonexistent/node', words: [] }), /ENOENT/);
    });

    it('refuse a package that is not built', () => {
        const folder = mkdtempSync(join(tmpdir(), 'bench-stage-'));
        try {
            assert.throws(
                () => stagePackage(folder),
                (error) => error instanceof NotBuiltError && error.message.includes('npm run prebuild'),
            );
        } finally {
            rmSync(folder, { recursive: true });
        }
    });
});
