// Runs the test suite in processes of its own with other environment variables.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Exit code of mocha; a run that a signal ended (a crash of the addon) is told and counts as 1. `hold` keeps what it prints. */
function run(words, environment, hold) {
    return new Promise((done, failed) => {
        const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
        const output = hold ? 'pipe' : 'inherit';
        const child = spawn(process.execPath, [mocha, ...words], {
            stdio: ['ignore', output, output],
            env: { ...process.env, ...environment },
        });
        const pieces = [];
        for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => pieces.push(piece));
        child.on('error', failed);
        child.on('close', (code, signal) => {
            if (signal) pieces.push(Buffer.from(`mocha was ended by ${signal}\n`));
            done({ code: code ?? 1, text: Buffer.concat(pieces).toString() });
        });
    });
}

/** Exit code of mocha. */
export async function runMocha(words, environment) {
    const { code, text } = await run(words, environment, false);
    if (text !== '') console.error(text.trimEnd());
    return code;
}

/**
 * Runs several mochas, [{ title, words, environment }], as many at once as there are processors, up to four. What one of
 * several prints comes in one piece when it has ended. Gives 0 when all passed, else 1.
 */
export async function runMochaSideBySide(runs, atOnce = Math.min(availableParallelism(), 4)) {
    const waiting = [...runs];
    let worst = 0;
    const work = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
            console.log(`\nstarts: ${next.title}`);
            const start = Date.now();
            const { code, text } = await run(next.words, next.environment, atOnce > 1);
            const seconds = ((Date.now() - start) / 1000).toFixed(1);
            console.log(`\n${next.title}: exit code ${code} after ${seconds} s\n${text.trimEnd()}`);
            if (code !== 0) worst = 1;
        }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return worst;
}
