import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

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
    import { writeFileSync } from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    crypto.randomBytes = (size) => Buffer.alloc(size);
    syncBuiltinESMExports();
    Object.defineProperty(process, 'pid', { value: 1 });
    const { removeCheckpoint, writeCheckpoint } = await import('./checkpoint/write_checkpoint.js');
    const folder = process.argv[2], step = Number(process.argv[3]), acknowledgement = process.argv[4];
    const head = { step, sequence: step, configHash: '', metrics: {} };
    try {
        await writeCheckpoint(folder + '/step-' + step, head, { 'a.bin': [new Uint8Array(100).fill(step)] });
        process.stdout.write('saved ');
        if (acknowledgement) writeFileSync(acknowledgement, '');
        await removeCheckpoint(folder + '/step-' + (step - 1));
    } catch (error) {
        process.stdout.write(error.name);
    }`;

/** A program that saves checkpoints in a folder, under strace. */
export class TracedSave {
    readonly runs: string;
    private readonly code: string;

    constructor(private readonly folder: string) {
        this.runs = join(folder, 'runs');
        this.code = join(folder, 'code');
        mkdirSync(this.runs);
        this.compile();
    }

    /** The library's files as JavaScript: a process starts in a tenth of the time. */
    private compile(): void {
        for (const name of modules) {
            const { outputText } = ts.transpileModule(readFileSync(join(library, `${name}.ts`), 'utf8'), {
                compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
            });
            const path = join(this.code, `${name}.js`);
            mkdirSync(dirname(path), { recursive: true });
            writeFileSync(path, outputText);
        }
        writeFileSync(join(this.code, 'package.json'), '{ "type": "module" }');
        writeFileSync(join(this.code, 'save.js'), program);
    }

    /** Looks only at calls that name a file of the folder, or `acknowledgement`, which the program makes when its save is done. */
    save(step: number, options: readonly string[], acknowledgement?: string): { out: string; log: string } {
        const { runs } = this;
        const paths = [step - 1, step].flatMap((n) =>
            ['', '.tmp-1-000000000000', '.old-1-000000000000'].flatMap((end) =>
                ['', '/a.bin', '/MANIFEST.json'].map((name) => join(runs, `step-${n}${end}${name}`)),
            ),
        );
        const log = join(this.folder, 'log');
        const more = acknowledgement === undefined ? [] : [acknowledgement];
        const words = [
            ...['-f', '-y', '-o', log],
            ...[runs, ...paths, ...more].flatMap((path) => ['-P', path]),
            ...options,
        ];
        const { stdout, stderr, error } = spawnSync(
            'strace',
            [...words, process.execPath, join(this.code, 'save.js'), runs, String(step), ...more],
            { encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
        );
        assert.equal(stderr, '', `strace must be there, and may trace (ptrace): ${error?.message ?? stderr}`);
        return { out: stdout, log: readFileSync(log, 'utf8') };
    }
}
