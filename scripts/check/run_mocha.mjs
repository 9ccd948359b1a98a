// Runs the test suite in a process of its own with other environment variables.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** Exit code of mocha; a run that a signal ended (a crash of the addon) is printed and counts as 1. */
export function runMocha(words, environment) {
    return new Promise((done, failed) => {
        const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
        const child = spawn(process.execPath, [mocha, ...words], {
            stdio: ['ignore', 'inherit', 'inherit'],
            env: { ...process.env, ...environment },
        });
        child.on('error', failed);
        child.on('close', (code, signal) => {
            if (signal) console.error(`mocha was ended by ${signal}`);
            done(code ?? 1);
        });
    });
}
