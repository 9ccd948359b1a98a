import { spawn } from 'node:child_process';

export interface CommandResult {
    code: number | null;
    stdout: string;
    stderr: string;
}

/** Runs a program without a terminal and without standard input, and collects what it writes. */
export function runCommand(
    program: string,
    words: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CommandResult> {
    return new Promise((done, failed) => {
        const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
        let stdout = '';
        let stderr = '';
        child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
        child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
        child.on('error', failed);
        child.on('close', (code) => done({ code, stdout, stderr }));
    });
}
