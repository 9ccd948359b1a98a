import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const library = fileURLToPath(new URL('../../lib/io/', import.meta.url));
const modules = [
    'checkpoint/checkpoint_folder',
    'checkpoint/read_checkpoint',
    'checkpoint/write_checkpoint',
    'checkpoint/checkpoint_error',
    'checkpoint/manifest',
    'atomic_file',
    'file_write_error',
    'folder_lock',
    'make_folders',
    'shared_lock',
];

/** Saves checkpoint `step` as a store that keeps one does, and says so. Names of temporary files are known beforehand. */
const program = `
    import crypto from 'node:crypto';
    import { writeFileSync } from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const [folder, step, pid, acknowledgement] = process.argv.slice(2);
    crypto.randomBytes = (size) => Buffer.alloc(size);
    syncBuiltinESMExports();
    Object.defineProperty(process, 'pid', { value: Number(pid) });
    const { CheckpointFolder } = await import('./checkpoint/checkpoint_folder.js');
    const rules = { keepLast: 1, keepBest: 0, badness: () => Infinity, warn: () => undefined };
    try {
        await new CheckpointFolder(folder, rules).save(Number(step), { 'a.bin': [new Uint8Array(100).fill(step)] });
        process.stdout.write('saved ');
        if (acknowledgement) writeFileSync(acknowledgement, '');
    } catch (error) {
        process.stdout.write(error.name);
    }`;

/** A program that saves checkpoints in a folder, under strace. At first neither that folder nor the one above it is there. */
export class TracedSave {
    /** What the program sees of the disk. */
    readonly disk: string;
    readonly runs: string;
    /** No process has such a number: whoever died with it is known to be dead. */
    private pid = 5_000_000;
    private readonly code: string;

    constructor(private readonly folder: string) {
        this.disk = join(folder, 'disk');
        this.runs = join(this.disk, 'new', 'runs');
        this.code = join(folder, 'code');
        mkdirSync(this.disk);
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
        const pid = this.pid++;
        const end = `${pid}-${'0'.repeat(12)}`;
        const paths = [step - 1, step].flatMap((n) =>
            ['', `.tmp-${end}`, `.old-${end}`].flatMap((kind) =>
                ['', '/a.bin', '/MANIFEST.json'].map((name) => join(runs, `step-${n}${kind}${name}`)),
            ),
        );
        const log = join(this.folder, 'log');
        const more = acknowledgement === undefined ? [] : [acknowledgement];
        const words = [
            ...['-f', '-y', '-o', log],
            ...[this.disk, dirname(runs), runs, this.lockOf(pid), ...paths, ...more].flatMap((path) => [
                '-P',
                path,
            ]),
            ...options,
        ];
        const { stdout, stderr, error } = spawnSync(
            'strace',
            [
                ...words,
                process.execPath,
                join(this.code, 'save.js'),
                runs,
                String(step),
                String(pid),
                ...more,
            ],
            { encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
        );
        assert.equal(stderr, '', `strace must be there, and may trace (ptrace): ${error?.message ?? stderr}`);
        return { out: stdout, log: readFileSync(log, 'utf8') };
    }

    /** As lib/io/folder_lock.ts names the lock of a process that is not there. */
    private lockOf(pid: number): string {
        const host = encodeURIComponent(hostname()).replaceAll('_', '%5F');
        const processes = readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '');
        return join(this.runs, `.checkpoints-lock_${host}_${processes}_${pid}__${'0'.repeat(12)}`);
    }
}
