import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const own = resolve(import.meta.dirname, '..', '..', 'build', 'test_venv', 'bin', 'python');
const python = process.env.NATIVEGRAD_TEST_PYTHON ?? own;

/** The Python that tests ask; fails where there is none. */
export function testPython(): string {
    const fix =
        'python3 -m venv build/test_venv && build/test_venv/bin/pip install -r test/requirements.txt && build/test_venv/bin/pip install --no-deps -r test/requirements_tracking.txt';
    assert.ok(existsSync(python), `there is no ${python}, which this test asks: ${fix}`);
    return python;
}

/** Runs a program of Python with words in sys.argv[1:] and gives what it prints. */
export function runPython(program: string, words: readonly string[] = []): string {
    // The sanitizers' library is for the addon, not for Python.
    const env = { ...process.env, LD_PRELOAD: '' };
    const { status, stdout, stderr } = spawnSync(testPython(), ['-c', program, ...words], {
        encoding: 'utf8',
        env,
    });
    assert.equal(status, 0, stderr);
    return stdout;
}
