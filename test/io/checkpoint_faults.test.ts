import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

import { findCheckpoints, readCheckpoint } from '../../lib/io/checkpoint/read_checkpoint.js';
import { removeLeftovers } from '../../lib/io/checkpoint/write_checkpoint.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const library = fileURLToPath(new URL('../../lib/io/', import.meta.url));
const modules = [
    'checkpoint/write_checkpoint',
    'checkpoint/checkpoint_error',
    'checkpoint/manifest',
    'atomic_file',
    'file_write_error',
];

/** Saves checkpoint `step`, says so, and removes the one before: as a store does. Names of temporary folders do not vary. */
const program = `
    import crypto from 'node:crypto';
    import { syncBuiltinESMExports } from 'node:module';
    crypto.randomBytes = (size) => Buffer.alloc(size);
    syncBuiltinESMExports();
    Object.defineProperty(process, 'pid', { value: 1 });
    const { removeCheckpoint, writeCheckpoint } = await import('./checkpoint/write_checkpoint.js');
    const folder = process.argv[2], step = Number(process.argv[3]);
    const head = { step, sequence: step, configHash: '', metrics: {} };
    try {
        await writeCheckpoint(folder + '/step-' + step, head, { 'a.bin': [new Uint8Array(100).fill(step)] });
        process.stdout.write('saved ');
        await removeCheckpoint(folder + '/step-' + (step - 1));
    } catch (error) {
        process.stdout.write(error.name);
    }`;

/** The library's files as JavaScript: a process starts in a tenth of the time. */
function compile(folder: string): string {
    for (const name of modules) {
        const { outputText } = ts.transpileModule(readFileSync(join(library, `${name}.ts`), 'utf8'), {
            compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
        });
        const path = join(folder, `${name}.js`);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, outputText);
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'save.js'), program);
    return join(folder, 'save.js');
}

describe('saving a checkpoint', function () {
    this.timeout(300_000);
    const folder = useTemporaryFolder();

    /** A save under strace, which looks only at calls that name a file of the folder. */
    function save(step: number, options: readonly string[]): { out: string; log: string } {
        const runs = join(folder(), 'runs');
        const paths = [step - 1, step].flatMap((n) =>
            ['', '.tmp-1-000000000000', '.old-1-000000000000'].flatMap((end) =>
                ['', '/a.bin', '/MANIFEST.json'].map((name) => join(runs, `step-${n}${end}${name}`)),
            ),
        );
        const log = join(folder(), 'log');
        const words = [
            '-f',
            '-y',
            '-o',
            log,
            ...[runs, ...paths].flatMap((path) => ['-P', path]),
            ...options,
        ];
        const { stdout, stderr, error } = spawnSync(
            'strace',
            [...words, process.execPath, join(folder(), 'code', 'save.js'), runs, String(step)],
            { encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
        );
        assert.equal(stderr, '', `strace must be there, and may trace (ptrace): ${error?.message ?? stderr}`);
        return { out: stdout, log: readFileSync(log, 'utf8') };
    }

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
        mkdirSync(join(folder(), 'runs'));
        compile(join(folder(), 'code'));
        assert.match(save(1, []).out, /^saved/);
        let [step, struck] = [1, 0];
        for (const call of calls) {
            for (const fault of faults) {
                for (let when = 1; ; when++) {
                    const isLasting = fault.endsWith('+');
                    const inject = `inject=${call}:${fault.replace('+', '')}:when=${when}${isLasting ? '+' : ''}`;
                    const { out, log } = save(step + 1, ['-e', inject]);
                    if (!/INJECTED|killed by SIGKILL/.test(log)) {
                        step = await newest();
                        break;
                    }
                    struck++;
                    const left = readdirSync(join(folder(), 'runs'));
                    const isSaved = out.startsWith('saved');
                    const isKilled = fault === 'signal=SIGKILL';
                    if (!isKilled) assert.ok(isSaved || out === 'CheckpointError', `${inject}: ${out}`);
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
