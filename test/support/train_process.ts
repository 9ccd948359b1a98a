import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { CommandResult } from './command.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A training run in a process of its own, to which something happens. */
export class TrainProcess {
    readonly child: ChildProcessByStdio<null, Readable, Readable>;
    readonly end: Promise<CommandResult>;

    /** `shell`: a line that starts the run as `"$@"`. */
    constructor(
        flags: string,
        readonly runFolder: string,
        shell = 'exec "$@"',
    ) {
        const words = [process.execPath, '--import', 'tsx', join('scripts', 'train.ts'), ...flags.split(' ')];
        this.child = spawn('bash', ['-c', shell, 'bash', ...words.filter(Boolean)], {
            cwd: ROOT,
            stdio: ['ignore', 'pipe', 'pipe'],
            // One that outlives its test would keep the whole suite from its end.
            timeout: 280_000,
            killSignal: 'SIGKILL',
        });
        const result: CommandResult = { code: null, stdout: '', stderr: '' };
        for (const name of ['stdout', 'stderr'] as const) {
            this.child[name].setEncoding('utf8').on('data', (piece: string) => (result[name] += piece));
        }
        this.end = new Promise((done) => {
            this.child.on('close', (code) => done({ ...result, code }));
        });
    }

    /** Waits until this many epochs stand in the run's history. */
    async reach(epochs: number): Promise<void> {
        const history = join(this.runFolder, 'history.jsonl');
        while (!existsSync(history) || readFileSync(history, 'utf8').split('\n').length <= epochs) {
            if (this.child.exitCode !== null) throw new Error(`the run ended before epoch ${epochs}`);
            await new Promise((done) => setTimeout(done, 20));
        }
    }
}
