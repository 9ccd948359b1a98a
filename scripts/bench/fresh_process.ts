import { spawn } from 'node:child_process';

import type { Subject } from './benchmark.js';

export interface Program {
    readonly program: string;
    readonly words: readonly string[];
    readonly cwd?: string;
}

/** What a process of its own said: the first line, when that came, and how it ended. */
export interface Outcome {
    /** From the start of the process to its first line. */
    readonly seconds: number;
    readonly line: string;
}

/** Runs a program that writes one line once it has done its work. */
export function runProgram({ program, words, cwd }: Program): Promise<Outcome> {
    return new Promise((resolve, reject) => {
        const start = performance.now();
        const child = spawn(program, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
        let [output, errors, seconds] = ['', '', Number.NaN];
        child.stdout.on('data', (part: Buffer) => {
            output += part.toString();
            if (Number.isNaN(seconds) && output.includes('\n')) seconds = (performance.now() - start) / 1000;
        });
        child.stderr.on('data', (part: Buffer) => void (errors = (errors + part.toString()).slice(-2000)));
        child.on('error', reject);
        child.on('close', (code) => {
            const line = output.split('\n')[0] ?? '';
            if (code === 0 && !Number.isNaN(seconds)) resolve({ seconds, line });
            else
                reject(
                    new Error(`[bench] ${program} ended with ${code} and said: ${errors || output}`.trim()),
                );
        });
    });
}

/** `{"bytes": n}` -> n; null for a line that only says that the work is done. */
export function reportedBytes(line: string): number | null {
    if (!line.startsWith('{')) return null;
    const { bytes } = JSON.parse(line) as { bytes?: unknown };
    if (typeof bytes !== 'number' || !(bytes > 0)) throw new Error(`[bench] no size in ${line}`);
    return bytes;
}

/** Each unit of work is a process: its seconds to the first line, or the bytes that the line reports. */
export function freshSubject(key: string, program: Program): Subject {
    return {
        key,
        run: async (count) => {
            let sum = 0;
            for (let i = 0; i < count; i++) {
                const { seconds, line } = await runProgram(program);
                sum += reportedBytes(line) ?? seconds;
            }
            return sum;
        },
    };
}
